"""The API server ends and comes back in the midst of it."""

import asyncio
from collections.abc import Callable

from e2e.controller import Controller, service_account
from e2e.controlplane import ControlPlane
from tests.manager.objects import defaults, is_ready, request, request_path, template_path, vm, vm_path


async def test_a_server_killed_and_started_again_is_picked_up_where_it_was(
    private_server: Callable[..., ControlPlane],
) -> None:
    server = await asyncio.to_thread(private_server)
    kubeconfig = await asyncio.to_thread(service_account, server)
    with Controller(kubeconfig) as controller:
        async with server.client() as client:
            await client.create(vm("default"))
            await client.create(request("default", refreshPolicy="OnChange"))
            await client.until(request_path("default"), is_ready)
            await asyncio.to_thread(server.kill, "kube-apiserver")
            await asyncio.to_thread(controller.logged, lambda line: line["message"] == "stream broke")
            assert (await asyncio.to_thread(controller.ask, "/healthz"))[0] == 200
            await asyncio.to_thread(server.start, "kube-apiserver")
        async with server.client() as client:
            memory = {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": "1Gi"}}}}}}}
            await client.patch(vm_path("default"), memory)
            await client.create(request("default", "fresh"))
            await client.until(request_path("default", "fresh"), is_ready, timeout=60)
            await client.until(
                template_path("default"), lambda it: defaults(it)["REQUESTS_MEMORY"] == "1Gi", timeout=60
            )
    assert controller.noise == []
