"""A backlog of requests for one VM when the controller starts; then relists after 410, which must cause no write."""

import asyncio
import time
from collections import Counter

from e2e import objects
from e2e.chaos.controller_metrics import lists, settled
from e2e.chaos.etcd import forget
from e2e.chaos.scenario import ChaosCluster, Report
from e2e.chaos.tcp_proxy import TCPProxy
from e2e.controller import Controller
from e2e.envtest import Client

NAMESPACE = "crowd"
KEPT = 20  # one in so many is kept in step
SLOWEST = 0.1  # seconds a request; a fiftieth of it is usual
RELISTED = 60.0  # seconds until every stream has relisted


async def backlog(cluster: ChaosCluster, requests: int, *, relists: int = 0, restarts: int = 0) -> Report:
    """Start a controller with a backlog of `requests`; then let it relist, and restart it.

    Relists need a forgetful cluster, and are met by a fast_timers controller.
    """
    report = Report()
    async with cluster.server.client() as client, TCPProxy(cluster.server.url) as wire:
        await client.create(objects.namespace(NAMESPACE))
        await client.post(objects.vms(NAMESPACE), objects.vm("vm"))
        bodies = (objects.request(f"request-{number}", keep=number % KEPT == 0) for number in range(requests))
        await objects.post_all(client, objects.requests(NAMESPACE), bodies)
        controller = cluster.controller("crowd", fast_timers=relists > 0, kubeconfig=wire.through(cluster.kubeconfig))
        since = time.monotonic()
        await asyncio.to_thread(controller.__enter__)
        try:
            await _all_ready(client, requests)
            report.figures["s until all were ready"] = round(time.monotonic() - since, 1)
            await settled(controller)
            before = await objects.versions(client, NAMESPACE)
            report.expect(len(before) == 2 * requests, f"{len(before) - requests} templates for {requests} requests")
            writes = len(cluster.writes())
            since = time.monotonic()
            for _ in range(relists):
                await _storm(cluster, wire, controller)
            for _ in range(restarts):
                await asyncio.to_thread(controller.stop)
                await asyncio.to_thread(controller.__enter__)
            await settled(controller)
            report.figures["s of relists and restarts"] = round(time.monotonic() - since, 1)
            report.wrong += objects.written(before, await objects.versions(client, NAMESPACE))[:20]
        finally:
            status = await asyncio.to_thread(controller.stop)
    calls = [f"{event['verb']} {event['requestURI']}" for event in cluster.writes()[writes:]]
    report.wrong += [f"in calm there was a call: {call}" for call in calls[:20]]
    report.figures |= {"requests": requests, "relists": relists, "restarts": restarts, "writes in calm": len(calls)}
    report.expect(status == 0, f"the controller ended with status {status}")
    outcomes = Counter(line["message"] for line in controller.lines if "request" in line)
    report.expect(outcomes["Rendered"] <= requests, f"{outcomes['Rendered']} times rendered, for {requests} requests")
    report.figures["tries that failed"] = outcomes["Failed"]  # where the server is too slow to answer
    return report


async def _all_ready(client: Client, requests: int) -> None:
    """Watch until every request is ready."""
    ready: set[str] = set()
    async with asyncio.timeout(60 + requests * SLOWEST):
        async for event in client.watch(objects.requests(NAMESPACE), resourceVersion="0"):
            if objects.reason(event["object"]) == "Rendered":
                ready.add(event["object"]["metadata"]["name"])
            if len(ready) == requests:
                return


async def _storm(cluster: ChaosCluster, wire: TCPProxy, controller: Controller) -> None:
    """Compact etcd past every version that the controller knows; return when all its watches have relisted."""
    before = await lists(controller)
    await forget(cluster.server.folder)
    wire.cut()
    async with asyncio.timeout(RELISTED):
        while True:
            after = await lists(controller)
            if all(after[stream] > count for stream, count in before.items()):
                return
            await asyncio.sleep(0.2)
