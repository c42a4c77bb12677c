"""How the process ends, and what it does on a server that is not as new or as well as it could be."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from e2e.controller import Controller, service_account
from e2e.controlplane import Client, ControlPlane
from tests.manager.objects import defaults, is_ready, request, request_path, template_path, vm, vm_path

PROMISED = 5.0  # seconds from SIGTERM to the end


@pytest.fixture
async def server(private_server: Callable[..., ControlPlane]) -> ControlPlane:
    return await asyncio.to_thread(private_server)


@pytest.fixture
async def client(server: ControlPlane) -> AsyncIterator[Client]:
    async with server.client() as client:
        yield client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_end_it_ends_in_time_also_where_the_server_hangs(
    server: ControlPlane, client: Client, number: signal.Signals
) -> None:
    kubeconfig = await asyncio.to_thread(service_account, server)
    await client.create(vm("default"))
    with Controller(kubeconfig) as controller:
        await client.create(request("default"))
        await client.until(request_path("default"), is_ready)
        server.processes.signal("kube-apiserver", signal.SIGSTOP)
        try:
            controller.send(number)
            assert await asyncio.to_thread(controller.process.wait, PROMISED + 1) == 0
        finally:
            server.processes.signal("kube-apiserver", signal.SIGCONT)
    assert [line["message"] for line in controller.lines][-2:] == ["stopping", "stopped"]
    assert controller.noise == []


async def test_asked_twice_it_ends_at_once(server: ControlPlane, client: Client) -> None:
    kubeconfig = await asyncio.to_thread(service_account, server)
    await client.create(vm("default"))
    with Controller(kubeconfig, "--workers=1") as controller:
        server.processes.signal("kube-apiserver", signal.SIGSTOP)
        try:
            controller.send(signal.SIGSTOP)  # both signals are there when it wakes, the second one after the first
            controller.send(signal.SIGTERM)
            controller.send(signal.SIGINT)
            controller.send(signal.SIGCONT)
            assert await asyncio.to_thread(controller.process.wait, PROMISED) in {128 + 2, 128 + 15}
        finally:
            server.processes.signal("kube-apiserver", signal.SIGCONT)


async def test_a_server_that_streams_no_lists_is_served_all_the_same(
    private_server: Callable[..., ControlPlane],
) -> None:
    server = await asyncio.to_thread(private_server, apiserver_flags=["--feature-gates=WatchList=false"])
    kubeconfig = await asyncio.to_thread(service_account, server)
    async with server.client() as client:
        await client.create(vm("default"))
        await client.create(request("default", refreshPolicy="OnChange"))
        with Controller(kubeconfig) as controller:
            await client.until(request_path("default"), is_ready)
            memory = {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": "1Gi"}}}}}}}
            await client.patch(vm_path("default"), memory)
            await client.until(template_path("default"), lambda it: defaults(it)["REQUESTS_MEMORY"] == "1Gi")
        assert [line for line in controller.lines if "in pages" in line["message"]]
