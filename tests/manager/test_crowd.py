"""Many requests at once."""

import asyncio
from collections.abc import Callable

from e2e.controller import Controller, service_account
from e2e.controlplane import Client, ControlPlane
from tests.manager.objects import REQUESTS, TEMPLATES, is_ready, request, vm

MANY = 1_000


async def test_a_thousand_requests_from_before_the_start_all_become_ready(
    private_server: Callable[..., ControlPlane],
) -> None:
    server = await asyncio.to_thread(private_server)  # its own: nobody else's controller is to have a hand in it
    kubeconfig = await asyncio.to_thread(service_account, server)
    async with server.client() as client:
        await client.create(vm("default"))
        posts = asyncio.Semaphore(32)

        async def post(number: int) -> None:
            async with posts:
                await client.create(request("default", f"request-{number}"))

        await asyncio.gather(*map(post, range(MANY)))
        controller = Controller(kubeconfig, "--workers=64")
        await asyncio.to_thread(controller.start)
        try:
            await _all_ready(client)
        finally:
            status = await asyncio.to_thread(controller.stop)
        templates = await client.get(f"{TEMPLATES}/namespaces/default/templates")
    assert status == 0
    assert len(templates["items"]) == MANY
    assert [line for line in controller.lines if line["level"] in {"error", "critical"}] == []
    assert [line["message"] for line in controller.lines if "request" in line] == ["Rendered"] * MANY


async def _all_ready(client: Client) -> None:
    ready: set[str] = set()
    collection = f"{REQUESTS}/namespaces/default/virtualmachinetemplaterequests"
    async with asyncio.timeout(120):
        async for event in client.watch(collection, resourceVersion="0"):
            if is_ready(event["object"]):
                ready.add(event["object"]["metadata"]["name"])
            if len(ready) == MANY:
                return
