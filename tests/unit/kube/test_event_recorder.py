"""Events: one per change of outcome. They delay nothing, and a lost one does no harm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from atmpl.controller.request import Request, parse_request
from atmpl.kube import event_recorder as module
from atmpl.kube.event_recorder import EventRecorder
from tests.support import virtual_clock
from tests.support.scripted_server import Act, Script, connected, cut_off, found, status, text
from tests.support.virtual_clock import virtual
from tests.unit.kube.test_requests import raw, request
from tests.unit.kube.test_requests import status as request_status

CREATED = found({}, 201)
PATH = "/api/v1/namespaces/ns/events"


def parsed_request(name: str = "one", version: int = 5, **more: Any) -> Request:
    return parse_request(raw(request(version, name, **more)))


@asynccontextmanager
async def telling(*acts: Act) -> AsyncIterator[tuple[EventRecorder, Script]]:
    """A running event recorder, and a server that follows a script and then accepts everything."""
    script = Script(*acts, *[CREATED] * 100)
    async with connected(script) as connection:
        events = EventRecorder(connection, "pod-1", utc=virtual_clock.utcnow)
        task = asyncio.create_task(events.run())
        try:
            yield events, script
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def settled() -> None:
    await asyncio.sleep(60)


@virtual
async def test_event_has_all_fields_that_kubectl_shows() -> None:
    async with telling() as (events, script):
        events.record_failure(parsed_request(), "SourceNotFound", "there is no VM ns/vm")
        await settled()
    [call] = script.calls
    assert (call.method, call.path) == ("POST", PATH)
    body = call.json()
    assert body["metadata"]["name"].startswith("one.")
    del body["metadata"]["name"]
    assert body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "ns"},
        "involvedObject": {
            "apiVersion": "ssp.kubevirt.io/v1alpha1",
            "kind": "VirtualMachineTemplateRequest",
            "namespace": "ns",
            "name": "one",
            "uid": "u-one",
            "resourceVersion": "5",
        },
        "type": "Warning",
        "reason": "SourceNotFound",
        "message": "there is no VM ns/vm",
        "count": 1,
        "firstTimestamp": "2030-01-01T00:00:00Z",
        "lastTimestamp": "2030-01-01T00:00:00Z",
        "source": {"component": "atmpl-controller"},
        "reportingComponent": "atmpl-controller",
        "reportingInstance": "pod-1",
    }


@virtual
async def test_repeated_reason_is_recorded_once() -> None:
    async with telling() as (events, script):
        for number in range(100):
            events.record_failure(parsed_request(version=5 + number), "Failed", f"try {number}")
            await asyncio.sleep(1)
    assert len(script.calls) == 1


@virtual
async def test_reason_of_the_status_is_not_recorded_after_restart() -> None:
    async with telling() as (events, script):
        events.record_failure(parsed_request(status=request_status("SourceNotFound")), "SourceNotFound", "still")
        await settled()
        assert script.calls == []
        events.record_failure(
            parsed_request(status=request_status("SourceNotFound")), "InvalidSource", "now it is this"
        )
        await settled()
    assert [call.json()["reason"] for call in script.calls] == ["InvalidSource"]


@virtual
async def test_returning_reason_increases_the_count() -> None:
    async with telling() as (events, script):
        for reason in ("Failed", "Forbidden", "Failed"):
            events.record_failure(parsed_request(), reason, f"it is {reason}")
            await settled()
    first, second, third = script.calls
    assert [call.method for call in script.calls] == ["POST", "POST", "PATCH"]
    assert (first.json()["reason"], second.json()["reason"]) == ("Failed", "Forbidden")
    assert third.path == f"{PATH}/{first.json()['metadata']['name']}"
    assert third.json() == {"count": 2, "lastTimestamp": "2030-01-01T00:02:00Z", "message": "it is Failed"}
    assert third.headers["Content-Type"] == "application/merge-patch+json"


@virtual
async def test_recovery_is_recorded_once_per_failure() -> None:
    async with telling() as (events, script):
        events.record_success(parsed_request())
        for _ in range(2):
            for _ in range(2):
                events.record_failure(parsed_request(), "SourceNotFound", "gone")
            for _ in range(2):
                events.record_success(parsed_request())
            await settled()
    warning, normal, *repeated = script.calls
    assert [call.method for call in script.calls] == ["POST", "POST", "PATCH", "PATCH"]
    assert [(call.json()["type"], call.json()["reason"]) for call in (warning, normal)] == [
        ("Warning", "SourceNotFound"),
        ("Normal", "Rendered"),
    ]
    assert [call.json()["count"] for call in repeated] == [2, 2]


@pytest.mark.parametrize(("reason", "events_expected"), [("", 0), ("Rendered", 0), ("TargetConflict", 1)])
@virtual
async def test_recovery_after_a_restart_is_recorded(reason: str, events_expected: int) -> None:
    async with telling() as (events, script):
        events.record_success(parsed_request(status=request_status(reason)) if reason else parsed_request())
        await settled()
    assert len(script.calls) == events_expected


@virtual
async def test_expired_event_is_created_again() -> None:
    async with telling(CREATED, CREATED, status(404, "NotFound", "", {"kind": "events"})) as (events, script):
        for reason in ("Failed", "Forbidden", "Failed"):
            events.record_failure(parsed_request(), reason, "")
            await settled()
    assert [call.method for call in script.calls] == ["POST", "POST", "PATCH", "POST"]
    names = [call.json()["metadata"]["name"] for call in script.calls if call.method == "POST"]
    assert len(set(names)) == 3
    assert script.calls[-1].json()["count"] == 1


@virtual
async def test_requests_of_one_name_have_separate_events() -> None:
    async with telling() as (events, script):
        events.record_failure(parsed_request(uid="a"), "Failed", "")
        events.record_failure(parsed_request(uid="b"), "Failed", "")
        await settled()
    assert [call.json()["involvedObject"]["uid"] for call in script.calls] == ["a-one", "b-one"]


LOST: dict[str, Act] = {
    "403": status(403, "Forbidden", "events are forbidden"),
    "a namespace that ends": status(403, "Forbidden", "no", {"causes": [{"reason": "NamespaceTerminating"}]}),
    "plain 404": status(404),
    "409": status(409, "AlreadyExists", "no"),
    "422": status(422, "Invalid", "no"),
    "429": status(429, "TooManyRequests", "no", **{"Retry-After": "5"}),
    "500": status(500, "InternalError", "no"),
    "a page of HTML": text(502, b"<html>", content_type="text/html"),
    "a reset": cut_off(),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_lost_event_does_not_stop_the_next(lost: Act, caplog: pytest.LogCaptureFixture) -> None:
    @virtual
    async def test() -> None:
        async with telling(lost) as (events, script):
            events.record_failure(parsed_request("lost"), "Failed", "")
            await settled()
            events.record_failure(parsed_request("next"), "Failed", "")
            await settled()
        assert [call.json()["involvedObject"]["name"] for call in script.calls] == ["lost", "next"]
        assert events.lost == 1

    test()
    assert [
        record for record in caplog.records if record.name.startswith("atmpl")
    ] == []  # at most a line of level debug


@virtual
async def test_bug_with_one_event_loses_only_that_event(caplog: pytest.LogCaptureFixture) -> None:
    async with telling() as (events, script):
        events.record_failure(parsed_request("lost"), "Failed", "a lone surrogate: \ud800")  # cannot be encoded as JSON
        events.record_failure(parsed_request("next"), "Failed", "")
        await settled()
    assert [call.json()["involvedObject"]["name"] for call in script.calls] == ["next"]
    assert "event lost" in caplog.messages


@virtual
async def test_full_queue_drops_the_oldest_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_EVENTS", 20)
    release = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.json_response({})

    async with telling(hang) as (events, script):
        events.record_failure(parsed_request("first"), "Failed", "")
        await asyncio.sleep(1)  # now the call hangs
        began = virtual_clock.now()
        for number in range(60):
            events.record_failure(parsed_request(f"r{number}"), "Failed", "")
        assert virtual_clock.now() == began
        assert (len(events._queue), events.lost) == (20, 40)
        script.acts = [CREATED] * 20
        release.set()
        await settled()
    names = [call.json()["involvedObject"]["name"] for call in script.calls]
    assert (len(names), names[0], names[1], names[-1]) == (21, "first", "r40", "r59")


@virtual
async def test_remembered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED_REQUESTS", 10)
    async with telling() as (events, script):
        for number in range(50):
            events.record_failure(parsed_request(f"r{number}"), "Failed", "")
        await settled()
        assert (len(events._reasons), len(events._written)) == (10, 10)
    assert len(script.calls) == 50


@virtual
async def test_event_fits_the_limits_of_the_api() -> None:
    async with telling() as (events, script):
        events._instance = "p" * 300
        events.record_failure(parsed_request(("a" * 60 + ".") * 4 + "b"), "Failed", "ä" * 3000)
        await settled()
        events.record_failure(parsed_request(("a" * 60 + ".") * 4 + "b"), "Forbidden", "")
        events.record_failure(parsed_request(("a" * 60 + ".") * 4 + "b"), "Failed", "ä" * 3000)
        await settled()
    body = script.calls[0].json()
    assert len(body["metadata"]["name"]) <= 253
    assert (len(body["message"]), len(body["reportingInstance"])) == (1024, 128)
    assert len(script.calls[-1].json()["message"]) == 1024


@virtual
async def test_hanging_server_loses_one_event() -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.json_response({})

    async with telling(hang) as (events, script):
        events.record_failure(parsed_request("lost"), "Failed", "")
        events.record_failure(parsed_request("next"), "Failed", "")
        await settled()
        assert [call.json()["involvedObject"]["name"] for call in script.calls] == ["lost", "next"]
        assert script.calls[1].at - script.calls[0].at == pytest.approx(30, abs=1)
