"""A crowd of requests for one VM, from before the controller's start; then storms of 410, in which nobody stirs."""

import asyncio
import time
from collections import Counter

from e2e import objects
from e2e.controller import Controller
from e2e.controlplane import Client
from e2e.storm.etcd import forget
from e2e.storm.figures import lists, settled
from e2e.storm.stage import Report, Stage
from e2e.storm.wire import Wire

NAMESPACE = "crowd"
KEPT = 20  # one in so many is kept in step
SLOWEST = 0.1  # seconds a request; a fiftieth of it is usual
RELISTED = 60.0  # seconds until every stream has listed anew


async def crowd(stage: Stage, requests: int, *, relists: int = 0, restarts: int = 0) -> Report:
    """Let a controller meet `requests` at once; then have it list all of them anew, in its life and in another.

    Relists need a forgetful stage, and are met by a hasty controller.
    """
    report = Report()
    async with stage.server.client() as client, Wire(stage.server.url) as wire:
        await client.create(objects.namespace(NAMESPACE))
        await client.post(objects.vms(NAMESPACE), objects.vm("vm"))
        bodies = (objects.request(f"request-{number}", keep=number % KEPT == 0) for number in range(requests))
        await objects.post_all(client, objects.requests(NAMESPACE), bodies)
        controller = stage.controller("crowd", hasty=relists > 0, kubeconfig=wire.through(stage.kubeconfig))
        since = time.monotonic()
        await asyncio.to_thread(controller.__enter__)
        try:
            await _all_ready(client, requests)
            report.figures["s until all were ready"] = round(time.monotonic() - since, 1)
            await settled(controller)
            before = await objects.versions(client, NAMESPACE)
            report.expect(len(before) == 2 * requests, f"{len(before) - requests} templates for {requests} requests")
            writes = len(stage.writes())
            since = time.monotonic()
            for _ in range(relists):
                await _storm(stage, wire, controller)
            for _ in range(restarts):
                await asyncio.to_thread(controller.stop)
                await asyncio.to_thread(controller.__enter__)
            await settled(controller)
            report.figures["s of relists and restarts"] = round(time.monotonic() - since, 1)
            report.wrong += objects.written(before, await objects.versions(client, NAMESPACE))[:20]
        finally:
            status = await asyncio.to_thread(controller.stop)
    calls = [f"{event['verb']} {event['requestURI']}" for event in stage.writes()[writes:]]
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


async def _storm(stage: Stage, wire: Wire, controller: Controller) -> None:
    """Have the server forget every version that the controller knows; return when all its streams have listed anew."""
    before = await lists(controller)
    await forget(stage.server.folder)
    wire.cut()
    async with asyncio.timeout(RELISTED):
        while True:
            after = await lists(controller)
            if all(after[stream] > count for stream, count in before.items()):
                return
            await asyncio.sleep(0.2)
