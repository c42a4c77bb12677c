"""Streams, workers and the lease together, with a scripted server and a virtual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import orjson
from aiohttp import web

from atmpl.controller.objects import ObjectKey
from atmpl.kube.client import KubeClient
from atmpl.kube.leader_election import LEASE_DURATION_SECONDS, RENEW_DEADLINE_SECONDS, LeaderElector
from atmpl.manager.manager import SHUTDOWN_GRACE_SECONDS, Manager
from atmpl.manager.metrics import Metrics
from atmpl.template import FORMATS
from tests.support import virtual_clock
from tests.support.lease_api import FaultyClient, LeaseApi, unsent
from tests.support.scripted_server import FixedCredentials, Script, bookmark, connected, event
from tests.support.virtual_clock import virtual
from tests.unit.kube.test_requests import request

VM = "/apis/kubevirt.io/v1/namespaces/ns/virtualmachines/vm"


class Server(Script):
    """One request and its VM. A read of the VM gets no response."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[float] = []  # times of the reads
        self.left: list[float] = []  # times at which the clients disconnected

    async def answer(self, http_request: web.Request) -> web.StreamResponse:
        if http_request.path == VM:
            self.read.append(virtual_clock.now())
            while self._listens(http_request):  # noqa: ASYNC110 - the other end of a socket
                await asyncio.sleep(0.02)
            self.left.append(virtual_clock.now())
        if "watch" not in http_request.query:
            return web.json_response({}, status=500)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(http_request)
        if "requests" in http_request.path:
            await response.write(event("ADDED", request(5)))
        await response.write(bookmark(9, end_of_list=True))
        await self.closing.wait()
        return response

    def _listens(self, http_request: web.Request) -> bool:
        return (
            not self.closing.is_set() and http_request.transport is not None and not http_request.transport.is_closing()
        )


class Running:
    """A running manager."""

    def __init__(self, manager: Manager, server: Server, way: FaultyClient) -> None:
        self.manager, self.server, self.way = manager, server, way
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(manager.run(self.stop))

    async def until(self, times: int) -> None:
        """Wait until the VM was read `times` times."""
        async with asyncio.timeout(60):
            while len(self.server.read) < times:  # noqa: ASYNC110 - it is virtual
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(api: LeaseApi) -> AsyncIterator[Running]:
    server, way = Server(), FaultyClient(api)
    async with connected(server) as connection:
        lease = LeaderElector(way, "ns", "one", random=Random(1), now=virtual_clock.now, utc=virtual_clock.utcnow)  # type: ignore[arg-type]
        manager = Manager(
            connection, Metrics(), workers=2, random=Random(1), identity="one", lease=lease, policy_required=False
        )
        it = Running(manager, server, way)
        try:
            yield it
        finally:
            it.stop.set()
            await it.task


@virtual
async def test_standby_watches_and_does_not_reconcile() -> None:
    api = LeaseApi()
    api.write({"holderIdentity": "other", "leaseDurationSeconds": 3600})
    async with running(api) as it:
        await asyncio.sleep(60)
        assert (it.manager.unready(), it.manager.unhealthy()) == ("", "")
        assert len(it.manager.requests) == 1
        assert it.server.read == []


@virtual
async def test_lost_lease_stops_the_workers_in_time() -> None:
    async with running(LeaseApi()) as it:
        await it.until(1)
        it.way.faults = [unsent] * 8  # no renewal succeeds for some time
        lost_at = virtual_clock.now()
        await it.until(2)
        assert len(it.server.left) == 1
        assert it.server.left[0] - lost_at <= RENEW_DEADLINE_SECONDS + 0.1 < LEASE_DURATION_SECONDS


@virtual
async def test_lease_is_released_after_the_last_reconcile() -> None:
    api = LeaseApi()
    async with running(api) as it:
        await it.until(1)
        stopped_at = virtual_clock.now()
        it.stop.set()
        while not it.server.left:
            assert api.history[-1] == "one"
            await asyncio.sleep(0.005)
        await it.task
        assert SHUTDOWN_GRACE_SECONDS <= virtual_clock.now() - stopped_at < 5
        assert api.history[-1] == ""


@virtual
async def test_stopping_manager_takes_no_more_requests() -> None:
    async with running(LeaseApi()) as it:
        await it.until(1)
        it.stop.set()
        await asyncio.sleep(1)
        it.manager.queue.add(ObjectKey("ns", "one"))
        it.manager.queue.add_after(ObjectKey("ns", "one"), 0.1)
        await it.task
        assert (len(it.server.read), len(it.manager.queue), it.manager.queue.delayed) == (1, 0, 0)


async def test_first_list_waits_behind_new_requests() -> None:
    manager = Manager(
        KubeClient(FixedCredentials("http://nowhere.example")), Metrics(), workers=1, random=Random(1), identity="one"
    )
    for name in ("old", "kept"):
        manager.requests.upsert(a_request(name, refreshPolicy="OnChange"))
    manager.requests.mark_synced(served=True)
    manager.streams.vms[""].upsert(metadata("vm"))
    manager.streams.vms[""].mark_synced(served=True)
    for templates in manager.streams.templates.values():
        templates.upsert(metadata("kept"))
        templates.mark_synced(served=True)
    manager.requests.upsert(a_request("fresh"))
    assert [(await manager.queue.get()).name for _ in range(3)] == ["fresh", "old", "kept"]


async def test_change_precedes_requests_of_a_new_api() -> None:
    manager = Manager(
        KubeClient(FixedCredentials("http://nowhere.example")), Metrics(), workers=1, random=Random(1), identity="one"
    )
    format = FORMATS["openshift"]
    for sink in (manager.requests, manager.streams.vms[""]):
        sink.mark_synced(served=True)
    manager.streams.templates[format.name, ""].mark_synced(served=False)
    manager.requests.upsert(a_request("waits"))
    assert (await manager.queue.get()).name == "waits"
    manager.queue.done(ObjectKey("ns", "waits"))
    manager.streams.templates[format.name, ""].mark_synced(served=True)
    manager.requests.upsert(a_request("follows", source={"vmName": "other"}))
    assert (await manager.queue.get()).name == "follows"
    manager.queue.done(ObjectKey("ns", "follows"))
    manager.streams.vms[""].upsert(metadata("other"))
    assert [(await manager.queue.get()).name for _ in range(2)] == ["follows", "waits"]


def a_request(name: str, **spec: Any) -> msgspec.Raw:
    complete = {"source": {"vmName": "vm"}, "target": {"openshiftTemplate": {}}, **spec}
    return msgspec.Raw(orjson.dumps({"metadata": _metadata(name), "spec": complete}))


def metadata(name: str) -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps({"metadata": _metadata(name)}))


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "ns", "uid": name, "resourceVersion": "1", "generation": 1}
