"""A stream against a scripted server: whatever the server does, the sink knows each object's last state."""

import asyncio
from random import Random

import msgspec
import orjson
import pytest
from aiohttp import web

from atmpl.controller.key import Key
from atmpl.kube import watch
from atmpl.kube.watch import Seen, Stream, Watch
from tests.kube.scripted import Act, Script, bookmark, connected, event, page, status, stream, thing

ERROR_410 = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


class Shelf:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}
        self.told: list[str] = []
        self.largest = 0

    def put(self, data: msgspec.Raw) -> Seen:
        meta = _metadata(data)
        self.things[meta["name"]] = int(meta["resourceVersion"])
        self.largest = max(self.largest, len(bytes(data)))
        return Seen(Key("ns", meta["name"]), meta["resourceVersion"])

    def drop(self, data: msgspec.Raw) -> Seen:
        meta = _metadata(data)
        self.things.pop(meta["name"], None)
        return Seen(Key("ns", meta["name"]), meta["resourceVersion"])

    def keep_only(self, keys: set[Key]) -> None:
        self.things = {name: version for name, version in self.things.items() if Key("ns", name) in keys}

    def served(self, yes: bool) -> None:
        self.told.append("synced" if yes else "not served")


def _metadata(data: msgspec.Raw) -> dict[str, str]:
    found = orjson.loads(bytes(data))
    if not isinstance(found, dict) or "metadata" not in found:
        raise msgspec.DecodeError("no object")
    metadata: dict[str, str] = found["metadata"]
    return metadata


async def _follow(*acts: Act, shelf: Shelf | None = None) -> tuple[Shelf, Script, list[float]]:
    """Run a stream through a script to its end; return sink, what was asked, and the waits in between."""
    shelf, script, waits = shelf or Shelf(), Script(*acts), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    async with connected(script) as connection:
        running = Watch(Stream("/things"), connection, shelf, random=Random(1), sleep=sleep)
        task = asyncio.create_task(running.run())
        over = asyncio.create_task(script.over.wait())
        await asyncio.wait({task, over}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert script.over.is_set(), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return shelf, script, waits


LISTED = stream(event("ADDED", thing("a", 1)), event("ADDED", thing("b", 2)), bookmark(5, end_of_list=True))


async def test_a_list_is_streamed_and_complete_at_its_bookmark_and_not_before() -> None:
    shelf, script, _ = await _follow(stream(event("ADDED", thing("a", 1))), LISTED)
    assert shelf.told == ["synced"]
    assert shelf.things == {"a": 1, "b": 2}
    asked = script.asked[0]
    assert (asked["sendInitialEvents"], asked["resourceVersionMatch"]) == ("true", "NotOlderThan")
    assert "resourceVersion" not in asked
    assert 300 <= int(asked["timeoutSeconds"]) <= 600


async def test_a_watch_goes_on_from_its_last_version() -> None:
    shelf, script, _ = await _follow(
        LISTED, stream(event("MODIFIED", thing("a", 7)), event("DELETED", thing("b", 8))), stream(bookmark(30))
    )
    assert shelf.things == {"a": 7}
    assert [asked.get("resourceVersion") for asked in script.asked] == [None, "5", "8", "30"]


GONE: dict[str, Act] = {
    "as the status of the answer": status(410, "Expired", "too old"),
    "as an ERROR event": stream(ERROR_410),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
async def test_a_version_that_is_too_old_lists_again_and_tells_what_vanished(gone: Act) -> None:
    shelf, script, _ = await _follow(
        LISTED,
        gone,
        stream(event("ADDED", thing("b", 2)), event("ADDED", thing("c", 9)), bookmark(9, end_of_list=True)),
    )
    assert shelf.things == {"b": 2, "c": 9}
    assert "sendInitialEvents" in script.asked[2]


async def test_a_server_that_streams_no_lists_is_read_in_pages() -> None:
    shelf, script, _ = await _follow(
        status(422, "Invalid", "sendInitialEvents is forbidden"),
        page([thing("a", 1)], "5", more="token"),
        page([thing("b", 2)], "5"),
        stream(ERROR_410),
        page([thing("b", 3)], "9"),
    )
    assert shelf.things == {"b": 3}
    assert [asked.get("continue") for asked in script.asked[1:3]] == [None, "token"]
    assert script.asked[3]["resourceVersion"] == "5"
    assert script.asked[5]["resourceVersion"] == "9"


BROKEN: dict[str, Act] = {
    "a page of HTML": stream(b"<html>login</html>\n", content_type="text/html"),
    "a page of HTML that says it is JSON": stream(b"<html>login</html>\n"),
    "half a line": stream(event("MODIFIED", thing("a", 99))[:-20]),
    "an object without metadata": stream(event("MODIFIED", {"a": 1})),
    "a busy server": status(429, "TooManyRequests", "later"),
    "a server that fails": status(500, "InternalError", "oh"),
    "a proxy that fails": status(502),
    "an error event": stream(event("ERROR", {"kind": "Status", "code": 500, "reason": "InternalError"})),
    "an end at once": stream(),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_what_is_no_event_changes_nothing_and_the_version_is_kept(broken: Act) -> None:
    shelf, script, waits = await _follow(LISTED, broken, broken, broken)
    assert shelf.things == {"a": 1, "b": 2}
    assert [asked.get("resourceVersion") for asked in script.asked] == [None, "5", "5", "5", "5"]
    assert len(waits) == 3  # and never without a wait in between
    assert all(wait <= 0.8 * 2**turn for turn, wait in enumerate(waits))


async def test_an_unknown_kind_of_event_is_passed_over() -> None:
    shelf, script, _ = await _follow(
        LISTED, stream(event("SURPRISE", thing("a", 50)), event("MODIFIED", thing("a", 7)))
    )
    assert shelf.things == {"a": 7, "b": 2}
    assert script.asked[2]["resourceVersion"] == "7"


async def test_the_servers_own_wait_is_honoured() -> None:
    _, _, waits = await _follow(status(429, "TooManyRequests", "later", **{"Retry-After": "17"}), LISTED)
    assert waits[0] == 17.0


async def test_an_api_that_is_not_served_counts_as_empty_and_is_asked_again_every_half_minute() -> None:
    shelf, _, waits = await _follow(status(404), status(404), LISTED, status(404), LISTED)
    assert shelf.told == ["not served", "not served", "synced", "not served", "synced"]
    assert shelf.things == {"a": 1, "b": 2}
    assert [wait for wait in waits if wait >= 1] == [30.0, 30.0, 30.0]


async def test_lines_of_three_mebibytes_come_whole() -> None:
    large = thing("a", 6, padding="x" * (3 * 2**20))
    shelf, _, _ = await _follow(LISTED, stream(event("MODIFIED", large), event("MODIFIED", thing("b", 7))))
    assert shelf.things == {"a": 6, "b": 7}
    assert shelf.largest > 3 * 2**20


async def test_a_line_longer_than_any_object_breaks_the_stream_and_not_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atmpl.kube.lines.LINE_LIMIT", 2**20)
    large = thing("a", 6, padding="x" * (2 * 2**20))
    shelf, script, waits = await _follow(LISTED, stream(event("MODIFIED", large)))
    assert shelf.things == {"a": 1, "b": 2}
    assert script.asked[2]["resourceVersion"] == "5"
    assert len(waits) == 1


async def test_a_peer_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.05)

    async def silent(_: object) -> web.Response:
        await asyncio.sleep(1)
        return web.Response(status=503)

    _, script, _ = await _follow(LISTED, silent)
    assert script.asked[2]["resourceVersion"] == "5"


async def test_backoff_doubles_up_to_half_a_minute_and_ends_with_health() -> None:
    clock = [0.0]
    waits: list[float] = []
    script = Script(LISTED, *[status(500, "InternalError", "oh")] * 9)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds
        await asyncio.sleep(0)

    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    async with connected(script) as connection:
        running = Watch(Stream("/things"), connection, Shelf(), random=Highest(1), now=lambda: clock[0], sleep=sleep)
        task = asyncio.create_task(running.run())
        await asyncio.wait_for(script.over.wait(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert waits == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]


async def test_two_minutes_of_health_forget_what_was_before() -> None:
    clock = [0.0]
    waits: list[float] = []

    def healthy_for(seconds: float, then: Act) -> Act:
        async def act(request: object) -> object:
            clock[0] += seconds
            return await then(request)  # type: ignore[arg-type]

        return act  # type: ignore[return-value]

    fails = status(500, "InternalError", "oh")
    script = Script(LISTED, fails, fails, fails, healthy_for(121, stream(ERROR_410)))

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    async with connected(script) as connection:
        running = Watch(Stream("/things"), connection, Shelf(), random=Highest(1), now=lambda: clock[0], sleep=sleep)
        task = asyncio.create_task(running.run())
        await asyncio.wait_for(script.over.wait(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert waits == [0.8, 1.6, 3.2, 0.8]
