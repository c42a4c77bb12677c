"""A replica that is stopped for half a minute and wakes up to another world writes nothing that is no longer true."""

import asyncio
import signal
from collections.abc import Callable

from e2e.chaos.controller_metrics import figures, settled
from e2e.controller import Controller, service_account
from e2e.envtest import Client, ControlPlane
from e2e.objects import is_ready
from tests.support.builders import request, request_path, vm, vm_path

ASLEEP = 30.0  # seconds: twice the lease's duration
NAMES = [f"request-{number}" for number in range(20)]


async def test_suspended_replica_overwrites_nothing(
    private_server: Callable[..., ControlPlane],
) -> None:
    """Once elected, once two at once by mistake; each on its own server, so that half a minute passes for both."""
    servers = [await asyncio.to_thread(private_server, controllers=()) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for server, options in zip(servers, [("--leader-elect",), ()], strict=True):
            group.create_task(_sleeper_writes_nothing(server, *options))


async def _sleeper_writes_nothing(server: ControlPlane, *options: str) -> None:
    path = await asyncio.to_thread(service_account, server)
    sleeper = Controller(path, *options, env={"POD_NAME": "sleeper"})
    other = Controller(path, *options, env={"POD_NAME": "other"})
    try:
        await asyncio.to_thread(sleeper.__enter__)
        if options:
            await asyncio.to_thread(sleeper.logged, lambda line: line["message"] == "lease acquired")
        await asyncio.to_thread(other.__enter__)
        async with server.client() as client:
            await _slept_through(client, sleeper, elected=bool(options))
        assert [sleeper.ask("/healthz"), other.ask("/healthz")] == [(200, "ok\n")] * 2, sleeper.lines
    finally:
        for controller in (sleeper, other):
            if hasattr(controller, "process"):
                await asyncio.to_thread(controller.stop)


async def _slept_through(client: Client, sleeper: Controller, *, elected: bool) -> None:
    """Let twenty requests be finished, and their VM be deleted, while the replica sleeps; it wakes, and nothing stirs."""
    await client.create(vm("default"))
    sleeper.send(signal.SIGSTOP)
    wake = asyncio.get_running_loop().time() + ASLEEP
    try:
        for name in NAMES:
            await client.create(request("default", name))
        for name in NAMES:
            await client.until(request_path("default", name), is_ready, timeout=25)
        await client.delete(vm_path("default"))
        done = {name: await client.get(request_path("default", name)) for name in NAMES}
        await asyncio.sleep(wake - asyncio.get_running_loop().time())  # time itself is what is tried here
    finally:
        sleeper.send(signal.SIGCONT)
    if elected:
        await asyncio.to_thread(sleeper.logged, lambda line: line["message"] == "lease lost")
    await client.create(vm("default", "second"))
    await client.create(request("default", "fresh", source="second"))
    await client.until(request_path("default", "fresh"), is_ready)
    async with asyncio.timeout(30):
        while not await _caught_up(sleeper):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
    if not elected:
        await settled(sleeper)
    for name in NAMES:
        assert await client.get(request_path("default", name)) == done[name]


async def _caught_up(controller: Controller) -> bool:
    """Whether the replica's streams show the twenty requests and the fresh one."""
    return (await figures(controller))["atmpl_watch_objects"]["virtualmachinetemplaterequests"] == len(NAMES) + 1
