"""Events on a real API server."""

import asyncio

import pytest

from e2e.envtest import Client
from e2e.objects import condition, is_ready, reason
from tests.support.builders import request, request_path, vm


@pytest.mark.usefixtures("controller")
async def test_failure_is_one_warning_event(client: Client, namespace: str) -> None:
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound")
    message = condition(found)["message"]
    await client.patch(request_path(namespace), {"metadata": {"annotations": {"a": "note"}}})
    await client.create(vm(namespace))
    await client.until(request_path(namespace), is_ready)
    events = f"/api/v1/namespaces/{namespace}/events"
    async with asyncio.timeout(10):
        async for event in client.watch(events, fieldSelector="involvedObject.name=request", resourceVersion="0"):
            assert event["type"] == "ADDED"
            break
    [event] = (await client.get(events, fieldSelector="involvedObject.name=request"))["items"]
    content = (event["type"], event["reason"], event["message"], event["count"])
    assert content == ("Warning", "SourceNotFound", message, 1)
    assert event["involvedObject"]["uid"] == found["metadata"]["uid"]
