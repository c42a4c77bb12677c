"""A reflector and a scripted server: with any behaviour of the server, the store has the last state of each object."""

import asyncio
from random import Random

import pytest
from aiohttp import web

from atmpl.kube import client
from atmpl.kube.client import METADATA, METADATA_LIST
from atmpl.kube.reflector import Reflector
from atmpl.kube.watch_events import WatchTarget
from tests.support import virtual_clock
from tests.support.recording_store import BOTH, LISTED, Most, RecordingStore, follow, versions
from tests.support.scripted_server import (
    Act,
    Script,
    bookmark,
    connected,
    cut_off,
    error_event,
    event,
    page,
    status,
    stream,
    text,
    thing,
)
from tests.support.virtual_clock import virtual

# --- lists


@virtual
async def test_streamed_list_is_complete_at_its_bookmark() -> None:
    script, store = Script(), RecordingStore()
    added, end = asyncio.Event(), asyncio.Event()

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(event("ADDED", thing("a", 1)))
        await asyncio.sleep(1)
        added.set()
        await end.wait()
        await response.write(bookmark(5, end_of_list=True))
        return response

    script.acts.append(act)
    async with connected(script) as connection:
        watch = Reflector(WatchTarget("/things"), connection, store, random=Random(1), now=virtual_clock.now)
        task = asyncio.create_task(watch.run())
        await added.wait()
        assert (store.things, store.status, watch.lists) == ({"a": 1}, [], 0)
        end.set()
        await script.over.wait()
        assert (store.things, store.status, watch.lists) == ({"a": 1}, ["synced"], 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    query = script.queries[0]
    assert (query["watch"], query["allowWatchBookmarks"]) == ("true", "true")
    assert (query["sendInitialEvents"], query["resourceVersionMatch"]) == ("true", "NotOlderThan")
    assert "resourceVersion" not in query


@virtual
async def test_watch_requests_metadata_and_selector() -> None:
    watched = WatchTarget("/apis/g/v1/things", metadata_only=True, selector="a/b=C d")
    ran = await follow(LISTED, stream(), status(410, "Expired"), status(422, "Invalid"), page([], "9"), watched=watched)
    assert {call.path for call in ran.calls} == {"/apis/g/v1/things"}
    assert {query["labelSelector"] for query in ran.queries} == {"a/b=C d"}
    assert [call.headers["Accept"] for call in ran.calls] == [METADATA] * 4 + [METADATA_LIST, METADATA]


@virtual
async def test_watch_timeout_is_5_to_10_minutes() -> None:
    ran = await follow(LISTED, *[stream(bookmark(6))] * 100)
    timeouts = [int(query["timeoutSeconds"]) for query in ran.queries]
    assert (min(timeouts) >= 300, max(timeouts) <= 600) == (True, True)
    assert max(timeouts) - min(timeouts) > 200


REFUSED: dict[str, Act] = {
    "422: it does not stream lists": status(422, "Invalid", "sendInitialEvents is forbidden"),
    "400": status(400, "BadRequest", "unknown parameter"),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_list_falls_back_to_pages(refused: Act) -> None:
    async def test() -> None:
        ran = await follow(
            refused, page([thing("a", 1)], "5", more="token"), page([thing("b", 2)], "7"), stream(bookmark(8))
        )
        assert ran.store.things == BOTH
        assert ran.store.status == ["synced"]
        assert versions(ran.queries) == ["list", "page ", "page token", "5", "8"]
        assert {query.get("limit") for query in ran.queries[1:3]} == {"500"}
        assert ran.calls[3].at == ran.calls[0].at  # and no time is lost

    virtual_clock.run(test())


UNSTREAMED: dict[str, Act] = {
    "a list that ends before it is complete": stream(event("ADDED", thing("a", 1))),
    "a list that never ends, with bookmarks in it": stream(event("ADDED", thing("a", 1)), bookmark(5)),
}


@pytest.mark.parametrize("unstreamed", UNSTREAMED.values(), ids=UNSTREAMED)
def test_ignored_streaming_falls_back_to_pages(unstreamed: Act) -> None:
    async def test() -> None:
        ran = await follow(unstreamed, page([thing("b", 2)], "5"))
        assert (ran.store.things, ran.store.status) == ({"b": 2}, ["synced"])
        assert versions(ran.queries) == ["list", "page ", "5"]

    virtual_clock.run(test())


@virtual
async def test_interrupted_streamed_list_is_retried() -> None:
    ran = await follow(cut_off(event("ADDED", thing("z", 1))), LISTED)
    assert (ran.store.things, ran.store.status) == (BOTH, ["synced"])
    assert versions(ran.queries) == ["list", "list", "5"]


@virtual
async def test_streaming_is_tried_at_each_list() -> None:
    ran = await follow(status(422, "Invalid"), page([thing("a", 1)], "5"), stream(error_event(410, "Expired")), LISTED)
    assert ran.store.things == BOTH
    assert versions(ran.queries) == ["list", "page ", "5", "list", "5"]


@virtual
async def test_too_large_page_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BODY_BYTES", 1_000)
    large = page([thing("a", 1, text="x" * 1_000)], "5")
    ran = await follow(
        status(422, "Invalid"), large, page([thing("a", 1)], "5", more="token"), large, page([thing("b", 2)], "5")
    )
    assert (ran.store.things, ran.watch.failures) == (BOTH, 0)
    assert versions(ran.queries) == ["list", "page ", "page ", "page token", "page token", "5"]
    assert [query["limit"] for query in ran.queries[1:-1]] == ["500", "250", "250", "125"]


@virtual
async def test_too_large_object_backs_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MAX_BODY_BYTES", 1_000)
    large = page([thing("a", 1, text="x" * 1_000)], "5")
    ran = await follow(status(422, "Invalid"), *[large] * 9, page([thing("a", 1)], "5"), random=Most())
    assert [query["limit"] for query in ran.queries[1:-1]] == [
        *("500", "250", "125", "62", "31", "15", "7", "3", "1"),
        "500",
    ]
    assert ran.waits == [0.8]


@virtual
async def test_failed_page_restarts_the_list() -> None:
    ran = await follow(
        status(422, "Invalid"),
        page([thing("z", 1)], "4", more="token"),
        status(410, "Expired", "the continue token is too old"),
        text(200, b"<html>", content_type="text/html"),
        status(503, "ServiceUnavailable", **{"Retry-After": "40"}),
        page([thing("a", 1)], "5"),
    )
    assert ran.store.things == {"a": 1}
    assert versions(ran.queries) == ["list", "page ", "page token", "page ", "page ", "page ", "5"]
    assert ran.waits[-1] == 40


@virtual
async def test_empty_list_is_complete() -> None:
    ran = await follow(status(422, "Invalid"), page(None, "5"))
    assert (ran.store.things, ran.store.status) == ({}, ["synced"])


@virtual
async def test_deletion_during_a_streamed_list_counts() -> None:
    ran = await follow(
        stream(
            event("ADDED", thing("a", 1)),
            event("ADDED", thing("b", 2)),
            event("DELETED", thing("a", 3)),
            bookmark(5, end_of_list=True),
        )
    )
    assert ran.store.things == {"b": 2}


# --- watches


@virtual
async def test_watch_resumes_at_its_last_version() -> None:
    ran = await follow(
        LISTED,
        stream(event("MODIFIED", thing("a", 7)), event("DELETED", thing("b", 8))),
        stream(bookmark(30)),
        cut_off(event("ADDED", thing("c", 31))),
        stream(event("MODIFIED", thing("c", 32))[:-9]),  # half a line
    )
    assert ran.store.things == {"a": 7, "c": 31}
    assert versions(ran.queries) == ["list", "5", "8", "30", "31", "31"]
    assert ran.store.status == ["synced"]


GONE: dict[str, Act] = {
    "410 as the status of the answer": status(410, "Expired", "too old"),
    "410 as an ERROR event": stream(error_event(410, "Expired", "too old resource version")),
    "a version that the server has not come to": status(
        504, "Timeout", "Too large resource version", {"causes": [{"reason": "ResourceVersionTooLarge"}]}
    ),
    "the same as an ERROR event": stream(
        error_event(504, "Timeout", details={"causes": [{"reason": "ResourceVersionTooLarge"}]})
    ),
    "a version that the server makes nothing of": status(400, "BadRequest", "invalid resource version"),
    "versions that go back": stream(bookmark(4)),
    "versions that go back from one of 5,000 digits": stream(bookmark("9" * 5000), bookmark(6)),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_unusable_version_lists_again(gone: Act) -> None:
    async def test() -> None:
        ran = await follow(
            LISTED,
            gone,
            stream(event("ADDED", thing("b", 2)), event("ADDED", thing("c", 9)), bookmark(9, end_of_list=True)),
        )
        assert ran.store.things == {"b": 2, "c": 9}
        assert versions(ran.queries) == ["list", "5", "list", "9"]
        assert ran.watch.lists == 2

    virtual_clock.run(test())


@virtual
async def test_repeated_410_backs_off() -> None:
    ran = await follow(*[LISTED, status(410, "Expired")] * 50, random=Most())
    assert ran.watch.lists == 50
    assert sum(ran.waits) > 40 * 30


KEPT: dict[str, Act] = {
    "a page of HTML": stream(b"<html>login</html>\n", content_type="text/html"),
    "a busy server": status(429, "TooManyRequests", "later"),
    "a server that does not know us": status(401, "Unauthorized"),
    "a server that allows nothing": status(403, "Forbidden"),
    "a server that fails": status(500, "InternalError", "oh"),
    "a proxy that fails": status(502),
    "a server that is elsewhere": status(307, Location="http://127.0.0.1:1/"),
    "an error event": stream(error_event(500, "InternalError")),
    "an empty error event": stream(event("ERROR", None)),
    "half a line": stream(event("MODIFIED", thing("a", 99))[:-20]),
    "a connection that breaks": cut_off(),
    "an end at once": stream(),
}


@pytest.mark.parametrize("broken", KEPT.values(), ids=KEPT)
def test_other_failures_keep_the_version_and_back_off(broken: Act) -> None:
    async def test() -> None:
        ran = await follow(LISTED, broken, broken, broken, random=Most())
        assert ran.store.things == BOTH
        assert versions(ran.queries) == ["list", "5", "5", "5", "5"]
        assert ran.waits == [0.8, 1.6, 3.2]

    virtual_clock.run(test())


# --- versions of an API


@virtual
async def test_next_version_is_watched_if_the_first_is_not_served() -> None:
    served: list[str] = []
    script = Script(text(404, b"404 page not found\n"), LISTED)
    async with connected(script) as connection:
        watch = Reflector(
            WatchTarget("/v1beta1/things"),
            connection,
            RecordingStore(),
            random=Random(1),
            now=virtual_clock.now,
            alternatives=[WatchTarget("/v1alpha1/things")],
            on_alternative=lambda target: served.append(target.path),
        )
        task = asyncio.create_task(watch.run())
        await script.over.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [call.path for call in script.calls][:3] == ["/v1beta1/things", "/v1alpha1/things", "/v1alpha1/things"]
    assert served == ["/v1alpha1/things"]


@virtual
async def test_versions_are_tried_in_turn_until_one_is_served() -> None:
    not_served = text(404, b"404 page not found\n")
    script, shelf = Script(*[not_served] * 4, LISTED), RecordingStore()
    async with connected(script) as connection:
        watch = Reflector(
            WatchTarget("/v1beta1/things"),
            connection,
            shelf,
            random=Random(1),
            now=virtual_clock.now,
            alternatives=[WatchTarget("/v1alpha1/things")],
        )
        task = asyncio.create_task(watch.run())
        await script.over.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    first, second = "/v1beta1/things", "/v1alpha1/things"
    assert [call.path for call in script.calls][:5] == [first, second, first, second, first]
    assert shelf.status[:2] == ["not served", "not served"]
