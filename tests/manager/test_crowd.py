"""Many requests at once."""

import asyncio

from e2e.controller import Controller, service_account
from e2e.controlplane import Client, Server
from tests.manager.objects import REQUESTS, TEMPLATES, is_ready, request, vm

MANY = 1_000


async def test_a_thousand_requests_from_before_the_start_all_become_ready(
    server: Server, client: Client, namespace: str
) -> None:
    await client.create(vm(namespace))
    posts = asyncio.Semaphore(32)

    async def post(number: int) -> None:
        async with posts:
            await client.create(request(namespace, f"request-{number}"))

    await asyncio.gather(*map(post, range(MANY)))
    kubeconfig = await asyncio.to_thread(service_account, server)
    controller = Controller(kubeconfig, "--workers=64")
    await asyncio.to_thread(controller.start)
    try:
        ready: set[str] = set()
        collection = f"{REQUESTS}/namespaces/{namespace}/virtualmachinetemplaterequests"
        async with asyncio.timeout(120):
            async for event in client.watch(collection, resourceVersion="0"):
                if is_ready(event["object"]):
                    ready.add(event["object"]["metadata"]["name"])
                if len(ready) == MANY:
                    break
    finally:
        status = await asyncio.to_thread(controller.stop)
    assert status == 0
    assert [line for line in controller.lines if line["level"] in {"error", "critical"}] == []
    assert [line["message"] for line in controller.lines if "request" in line] == ["Rendered"] * MANY
    templates = await client.get(f"{TEMPLATES}/namespaces/{namespace}/templates")
    assert len(templates["items"]) == MANY
