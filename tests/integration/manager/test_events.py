"""Events on a real API server."""

import asyncio

import pytest

from e2e.envtest import Client
from e2e.objects import condition, is_ready, reason
from tests.support.builders import request, request_path, vm


@pytest.mark.usefixtures("controller")
async def test_failure_and_success_are_one_event_each(client: Client, namespace: str) -> None:
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound")
    message = condition(found)["message"]
    await client.patch(request_path(namespace), {"metadata": {"annotations": {"a": "note"}}})
    await client.create(vm(namespace))
    await client.until(request_path(namespace), is_ready)
    events = f"/api/v1/namespaces/{namespace}/events"
    found_events = {}
    async with asyncio.timeout(10):
        async for event in client.watch(events, fieldSelector="involvedObject.name=request", resourceVersion="0"):
            found_events[event["object"]["reason"]] = (event["type"], event["object"])
            if len(found_events) == 2:
                break
    assert {reason: kind for reason, (kind, _) in found_events.items()} == {
        "SourceNotFound": "ADDED",
        "Rendered": "ADDED",
    }
    warning, normal = found_events["SourceNotFound"][1], found_events["Rendered"][1]
    assert (warning["type"], warning["message"], warning["count"]) == ("Warning", message, 1)
    assert (normal["type"], normal["count"]) == ("Normal", 1)
    assert {event["involvedObject"]["uid"] for event in (warning, normal)} == {found["metadata"]["uid"]}
