"""The API server is unavailable for minutes: controllers stay healthy, back off, and continue when it is back."""

import asyncio
import time
from typing import Self
from urllib.parse import urlsplit

from e2e import objects
from e2e.chaos.scenario import ChaosCluster, Report
from e2e.controller import Controller

NAMESPACE = "away"
PROCESSOR = 0.02  # of a CPU, at most, for a controller that only waits
CONNECTIONS_PER_SECOND = 1.0  # at most, of all three together, once they have detected the outage
FIRST_CONNECTIONS = 40  # at most, before that: backoffs begin below a second
BACK = 60.0  # seconds until a request is served again: a backoff is 30 s at most


class DeadEnd:
    """A listener on the API server's port that accepts and closes connections, as a load balancer without backends."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self._server: asyncio.Server
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._met, "127.0.0.1", self._port, reuse_port=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _met(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


async def outage(cluster: ChaosCluster, seconds: float) -> Report:
    """Take the API server away; half of the time its port refuses, half of it is a dead end.

    One controller is at work when it goes, one leads, and one is started while it is away.
    """
    report = Report()
    async with cluster.server.client() as client:
        await client.create(objects.namespace(NAMESPACE))
        await client.post(objects.vms(NAMESPACE), objects.vm("vm"))
    plain, leading, late = (
        cluster.controller("plain"),
        cluster.controller("leading", "--leader-elect"),
        cluster.controller("late"),
    )
    team = [plain, leading, late]
    try:
        for controller in (plain, leading):
            await asyncio.to_thread(controller.__enter__)
        async with cluster.server.client() as client:
            await client.post(objects.requests(NAMESPACE), objects.request("kept", keep=True))
            await client.until(f"{objects.requests(NAMESPACE)}/kept", lambda it: objects.reason(it) == "Rendered")
        await asyncio.to_thread(cluster.server.kill, "kube-apiserver")
        await asyncio.to_thread(late.start)
        pids = [controller.process.pid for controller in team]
        before, since = [controller.usage().cpu for controller in team], time.monotonic()
        await _sit_out(seconds / 2, team, report)
        async with DeadEnd(cluster.server.url) as dead_end:
            await _sit_out(seconds / 2, team, report)
        took = time.monotonic() - since
        for controller, spent in zip(team, before, strict=True):
            share = (controller.usage().cpu - spent) / took
            name = controller.name
            report.figures[f"share of a processor, {name}"] = round(share, 4)
            report.expect(share <= PROCESSOR, f"{name} took {share:.1%} of a processor while there was nothing to do")
        report.figures["connections to the dead end"] = dead_end.connections
        report.expect(
            dead_end.connections <= FIRST_CONNECTIONS + CONNECTIONS_PER_SECOND * took / 2,
            f"{dead_end.connections} connections in {took / 2:.0f} s: this is not backoff",
        )
        await asyncio.to_thread(cluster.server.start, "kube-apiserver")
        await _goes_on(cluster, team, report)
        for controller, pid in zip(team, pids, strict=True):
            alive = controller.process.pid == pid and controller.process.poll() is None
            report.expect(alive, f"{controller.name} did not live through it")
    finally:
        for controller in team:
            await asyncio.to_thread(controller.stop)
    return report


async def _sit_out(seconds: float, team: list[Controller], report: Report) -> None:
    """Probe /healthz of all controllers, as the kubelet does, until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for controller in team:
            status, text = await asyncio.to_thread(controller.get, "/healthz")
            report.expect(status == 200, f"{controller.name} was not healthy while the server was away: {text.strip()}")
        await asyncio.sleep(1)


async def _goes_on(cluster: ChaosCluster, team: list[Controller], report: Report) -> None:
    """See that an edit and a fresh request are served, and that all controllers are ready."""
    since = time.monotonic()
    async with cluster.server.client() as client:
        await client.patch(f"{objects.vms(NAMESPACE)}/vm", objects.memory_of("1Gi"))
        await client.post(objects.requests(NAMESPACE), objects.request("fresh"))
        fresh, kept = f"{objects.requests(NAMESPACE)}/fresh", f"{objects.templates(NAMESPACE)}/kept"
        await client.until(fresh, lambda it: objects.reason(it) == "Rendered", timeout=BACK)
        await client.until(kept, lambda it: objects.memory(it) == "1Gi", timeout=BACK)
        report.figures["s until served again"] = round(time.monotonic() - since, 1)
    for controller in team:
        await asyncio.to_thread(controller.logged, lambda line: line["message"] == "ready", timeout=BACK)
        status, text = await asyncio.to_thread(controller.get, "/readyz")
        report.expect(status == 200, f"{controller.name} is not ready again: {text.strip()}")
