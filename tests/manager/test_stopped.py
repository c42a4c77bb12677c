"""A replica that is stopped for half a minute and wakes up to another world writes nothing that is no longer true."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from e2e.controller import Controller, service_account
from e2e.controlplane import Client, ControlPlane
from tests.manager.objects import is_ready, request, request_path, vm, vm_path

ASLEEP = 30.0  # seconds: twice the lease's duration


@pytest.fixture
async def kubeconfig(private_server: Callable[..., ControlPlane]) -> AsyncIterator[tuple[Path, Client]]:
    server = await asyncio.to_thread(private_server)
    async with server.client() as client:
        yield await asyncio.to_thread(service_account, server), client


@pytest.mark.parametrize("options", [("--leader-elect",), ()], ids=["elected", "two at once, by mistake"])
async def test_a_replica_that_slept_writes_nothing_over_what_the_other_one_wrote(
    kubeconfig: tuple[Path, Client], options: tuple[str, ...]
) -> None:
    path, client = kubeconfig
    names = [f"request-{number}" for number in range(20)]
    with Controller(path, *options, env={"POD_NAME": "sleeper"}) as sleeper:
        if options:
            await asyncio.to_thread(sleeper.logged, lambda line: line["message"] == "leading")
        with Controller(path, *options, env={"POD_NAME": "other"}) as other:
            await client.create(vm("default"))
            sleeper.send(signal.SIGSTOP)
            try:
                for name in names:
                    await client.create(request("default", name))
                for name in names:
                    await client.until(request_path("default", name), is_ready, timeout=25)
                await client.delete(vm_path("default"))
                done = {name: await client.get(request_path("default", name)) for name in names}
                await asyncio.sleep(ASLEEP)  # time itself is what is tried here
            finally:
                sleeper.send(signal.SIGCONT)
            if options:
                await asyncio.to_thread(sleeper.logged, lambda line: "lease is lost" in line["message"])
            await client.create(vm("default", "second"))
            await client.create(request("default", "fresh", source="second"))
            await client.until(request_path("default", "fresh"), is_ready)
            await asyncio.to_thread(sleeper.logged, lambda line: line["level"] != "critical" and _caught_up(sleeper))
            for name in names:
                assert await client.get(request_path("default", name)) == done[name]
            assert [sleeper.ask("/healthz"), other.ask("/healthz")] == [(200, "ok\n")] * 2, sleeper.lines


def _caught_up(controller: Controller) -> bool:
    """Whether the replica's streams show the twenty requests and the fresh one."""
    return 'atmpl_watch_objects{stream="virtualmachinetemplaterequests"} 21.0' in controller.ask("/metrics")[1]
