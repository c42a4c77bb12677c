"""A replica that was suspended for half a minute writes nothing that is out of date."""

import asyncio
import signal
from collections.abc import Callable

from e2e.chaos.controller_metrics import figures, settled
from e2e.controller import Controller, service_account
from e2e.envtest import Client, ControlPlane
from e2e.objects import is_ready
from tests.support.builders import request, request_path, vm, vm_path

SUSPENSION_SECONDS = 30.0  # twice the lease's duration
NAMES = [f"request-{number}" for number in range(20)]


async def test_suspended_replica_overwrites_nothing(
    private_server: Callable[..., ControlPlane],
) -> None:
    """Once elected, once two at once by mistake; each on its own server, so that half a minute passes for both."""
    servers = [await asyncio.to_thread(private_server, controllers=()) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for server, options in zip(servers, [("--leader-elect",), ()], strict=True):
            group.create_task(_suspended_replica_writes_nothing(server, *options))


async def _suspended_replica_writes_nothing(server: ControlPlane, *options: str) -> None:
    path = await asyncio.to_thread(service_account, server)
    suspended = Controller(path, *options, env={"POD_NAME": "suspended"})
    other = Controller(path, *options, env={"POD_NAME": "other"})
    try:
        await asyncio.to_thread(suspended.__enter__)
        if options:
            await asyncio.to_thread(suspended.logged, lambda line: line["message"] == "lease acquired")
        await asyncio.to_thread(other.__enter__)
        async with server.client() as client:
            await _suspend_and_resume(client, suspended, elected=bool(options))
        assert [suspended.get("/healthz"), other.get("/healthz")] == [(200, "ok\n")] * 2, suspended.lines
    finally:
        for controller in (suspended, other):
            if hasattr(controller, "process"):
                await asyncio.to_thread(controller.stop)


async def _suspend_and_resume(client: Client, suspended: Controller, *, elected: bool) -> None:
    """Finish twenty requests and delete their VM while the replica is suspended; resume it, and expect no write."""
    await client.create(vm("default"))
    suspended.send(signal.SIGSTOP)
    resumption = asyncio.get_running_loop().time() + SUSPENSION_SECONDS
    try:
        for name in NAMES:
            await client.create(request("default", name))
        for name in NAMES:
            await client.until(request_path("default", name), is_ready, timeout=25)
        await client.delete(vm_path("default"))
        done = {name: await client.get(request_path("default", name)) for name in NAMES}
        await asyncio.sleep(resumption - asyncio.get_running_loop().time())  # the passing of time is tested
    finally:
        suspended.send(signal.SIGCONT)
    if elected:
        await asyncio.to_thread(suspended.logged, lambda line: line["message"] == "lease lost")
    await client.create(vm("default", "second"))
    await client.create(request("default", "fresh", source="second"))
    await client.until(request_path("default", "fresh"), is_ready)
    async with asyncio.timeout(30):
        while not await _caught_up(suspended):  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.2)
    if not elected:
        await settled(suspended)
    for name in NAMES:
        assert await client.get(request_path("default", name)) == done[name]


async def _caught_up(controller: Controller) -> bool:
    """Whether the replica's streams show the twenty requests and the fresh one."""
    return (await figures(controller))["atmpl_watch_objects"]["virtualmachinetemplaterequests"] == len(NAMES) + 1
