"""A stream against a scripted server: whatever the server does, the sink knows each object's last state."""

import asyncio
import logging
from random import Random
from types import SimpleNamespace

import msgspec
import orjson
import pytest
from aiohttp import web

from atmpl.controller.key import Key
from atmpl.kube.connection import METADATA, METADATA_LIST, Connection
from atmpl.kube.stream import Seen, Stream
from atmpl.kube.watch import Watch
from tests import clock
from tests.clock import virtual
from tests.kube.scripted import (
    Act,
    Anybody,
    Script,
    bookmark,
    connected,
    cut_off,
    error_event,
    event,
    page,
    serving,
    silent,
    slowly,
    status,
    stream,
    text,
    thing,
)


class Shelf:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}
        self.told: list[str] = []
        self.largest = 0

    def put(self, data: msgspec.Raw) -> Seen:
        seen = self._seen(data)
        self.things[seen.key.name] = int(seen.version or "0")
        self.largest = max(self.largest, len(bytes(data)))
        return seen

    def drop(self, data: msgspec.Raw) -> Seen:
        seen = self._seen(data)
        self.things.pop(seen.key.name, None)
        return seen

    def keep_only(self, keys: set[Key]) -> None:
        self.things = {name: version for name, version in self.things.items() if Key("ns", name) in keys}

    def served(self, yes: bool) -> None:
        self.told.append("synced" if yes else "not served")

    def _seen(self, data: msgspec.Raw) -> Seen:
        found = orjson.loads(bytes(data))
        if not isinstance(found, dict) or "metadata" not in found:
            raise msgspec.DecodeError("no object")
        return Seen(Key("ns", found["metadata"]["name"]), found["metadata"]["resourceVersion"])


class Most(Random):
    """Draws the most."""

    def uniform(self, a: float, b: float) -> float:
        return b


async def follow(
    *acts: Act, random: Random | None = None, watched: Stream | None = None
) -> SimpleNamespace:  # shelf, asked, calls, waits, watch
    """Run a stream through a script to its end."""
    shelf, script, waits = Shelf(), Script(*acts), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    async with connected(script) as connection:
        watch = Watch(
            watched or Stream("/things"),
            connection,
            shelf,
            random=random or Random(1),
            now=clock.now,
            sleep=sleep,
        )
        await until_over(watch, script)
    return SimpleNamespace(shelf=shelf, asked=script.asked, calls=script.calls, waits=waits, watch=watch)


async def until_over(watch: Watch, script: Script) -> None:
    task = asyncio.create_task(watch.run())
    over = asyncio.create_task(script.over.wait())
    await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
    assert script.over.is_set(), task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def versions(asked: list[dict[str, str]]) -> list[str]:
    """From where each call began: a version, a streamed list, or a page of one."""
    return [
        "list" if "sendInitialEvents" in query else query.get("resourceVersion", f"page {query.get('continue', '')}")
        for query in asked
    ]


LISTED = stream(event("ADDED", thing("a", 1)), event("ADDED", thing("b", 2)), bookmark(5, end_of_list=True))
BOTH = {"a": 1, "b": 2}


# --- lists


@virtual
async def test_a_list_is_streamed_and_complete_at_its_bookmark_and_not_before() -> None:
    script, shelf = Script(), Shelf()
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
        watch = Watch(Stream("/things"), connection, shelf, random=Random(1), now=clock.now)
        task = asyncio.create_task(watch.run())
        await added.wait()
        assert (shelf.things, shelf.told, watch.lists) == ({"a": 1}, [], 0)
        end.set()
        await script.over.wait()
        assert (shelf.things, shelf.told, watch.lists) == ({"a": 1}, ["synced"], 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    asked = script.asked[0]
    assert (asked["watch"], asked["allowWatchBookmarks"]) == ("true", "true")
    assert (asked["sendInitialEvents"], asked["resourceVersionMatch"]) == ("true", "NotOlderThan")
    assert "resourceVersion" not in asked


@virtual
async def test_metadata_and_a_selector_are_asked_for_where_they_are_enough() -> None:
    watched = Stream("/apis/g/v1/things", metadata_only=True, selector="a/b=C d")
    ran = await follow(LISTED, stream(), status(410, "Expired"), status(422, "Invalid"), page([], "9"), watched=watched)
    assert {call.path for call in ran.calls} == {"/apis/g/v1/things"}
    assert {query["labelSelector"] for query in ran.asked} == {"a/b=C d"}
    assert [call.headers["Accept"] for call in ran.calls] == [METADATA] * 4 + [METADATA_LIST, METADATA]


@virtual
async def test_each_watch_asks_for_five_to_ten_minutes() -> None:
    ran = await follow(LISTED, *[stream(bookmark(6))] * 100)
    asked = [int(query["timeoutSeconds"]) for query in ran.asked]
    assert (min(asked) >= 300, max(asked) <= 600) == (True, True)
    assert max(asked) - min(asked) > 200


REFUSED: dict[str, Act] = {
    "422: it does not stream lists": status(422, "Invalid", "sendInitialEvents is forbidden"),
    "400": status(400, "BadRequest", "unknown parameter"),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_a_server_that_streams_no_lists_is_read_in_pages(refused: Act) -> None:
    async def test() -> None:
        ran = await follow(
            refused, page([thing("a", 1)], "5", more="token"), page([thing("b", 2)], "7"), stream(bookmark(8))
        )
        assert ran.shelf.things == BOTH
        assert ran.shelf.told == ["synced"]
        assert versions(ran.asked) == ["list", "page ", "page token", "5", "8"]
        assert {query.get("limit") for query in ran.asked[1:3]} == {"500"}
        assert ran.calls[3].at == ran.calls[0].at  # and no time is lost

    clock.run(test())


UNSTREAMED: dict[str, Act] = {
    "a list that ends before it is complete": stream(event("ADDED", thing("a", 1))),
    "a list that never ends, with bookmarks in it": stream(event("ADDED", thing("a", 1)), bookmark(5)),
}


@pytest.mark.parametrize("unstreamed", UNSTREAMED.values(), ids=UNSTREAMED)
def test_what_is_no_streamed_list_is_read_in_pages(unstreamed: Act) -> None:
    async def test() -> None:
        ran = await follow(unstreamed, page([thing("b", 2)], "5"))
        assert (ran.shelf.things, ran.shelf.told) == ({"b": 2}, ["synced"])
        assert versions(ran.asked) == ["list", "page ", "5"]

    clock.run(test())


@virtual
async def test_a_streamed_list_that_breaks_off_is_streamed_again() -> None:
    ran = await follow(cut_off(event("ADDED", thing("z", 1))), LISTED)
    assert (ran.shelf.things, ran.shelf.told) == (BOTH, ["synced"])
    assert versions(ran.asked) == ["list", "list", "5"]


@virtual
async def test_a_server_that_learns_to_stream_lists_is_asked_again_at_the_next_list() -> None:
    ran = await follow(status(422, "Invalid"), page([thing("a", 1)], "5"), stream(error_event(410, "Expired")), LISTED)
    assert ran.shelf.things == BOTH
    assert versions(ran.asked) == ["list", "page ", "5", "list", "5"]


@virtual
async def test_pages_that_fail_begin_anew() -> None:
    ran = await follow(
        status(422, "Invalid"),
        page([thing("z", 1)], "4", more="token"),
        status(410, "Expired", "the continue token is too old"),
        text(200, b"<html>", content_type="text/html"),
        status(503, "ServiceUnavailable", **{"Retry-After": "40"}),
        page([thing("a", 1)], "5"),
    )
    assert ran.shelf.things == {"a": 1}
    assert versions(ran.asked) == ["list", "page ", "page token", "page ", "page ", "page ", "5"]
    assert ran.waits[-1] == 40


@virtual
async def test_an_empty_list_is_a_list() -> None:
    ran = await follow(status(422, "Invalid"), page(None, "5"))
    assert (ran.shelf.things, ran.shelf.told) == ({}, ["synced"])


NO_LIST: dict[str, bytes] = {
    "a list without a version": b'{"metadata": {}, "items": []}',
    "an object": b'{"kind": "Pod"}',
    "a number": b"1",
    "nothing": b"",
    "items that are none": b'{"metadata": {"resourceVersion": "5"}, "items": {}}',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("body", NO_LIST.values(), ids=NO_LIST)
def test_what_is_no_list_forgets_nothing(body: bytes) -> None:
    async def test() -> None:
        ran = await follow(LISTED, status(410, "Expired"), status(422, "Invalid"), text(200, body))
        assert ran.shelf.things == BOTH
        assert ran.shelf.told == ["synced"]
        assert versions(ran.asked)[-1] == "page "

    clock.run(test())


@virtual
async def test_one_object_that_cannot_be_read_does_not_keep_the_others_from_being_listed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = {"spec": {}}
    ran = await follow(
        stream(event("ADDED", bad), event("ADDED", thing("a", 1)), bookmark(5, end_of_list=True)),
        status(410, "Expired"),
        status(422, "Invalid"),
        page([thing("b", 2), bad], "6"),
    )
    assert (ran.shelf.things, ran.shelf.told) == ({"b": 2}, ["synced", "synced"])
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "an object cannot be read: it is left out"
    ] * 2


class Shy(Shelf):
    """A sink whose decoder goes no deeper than 600 lists."""

    def put(self, data: msgspec.Raw) -> Seen:
        if bytes(data).count(b"[") > 600:
            raise RecursionError
        return super().put(data)


@virtual
async def test_an_object_nested_too_deeply_is_taken_without_its_depths() -> None:
    deep = orjson.dumps(thing("a", 1))[:-1] + b', "deep": ' + b"[" * 700 + b"]" * 700 + b"}"
    line = b'{"type": "ADDED", "object": ' + deep + b"}\n"
    listed = text(200, b'{"metadata": {"resourceVersion": "5"}, "items": [' + deep + b"]}")
    for acts in (
        (stream(line, bookmark(5, end_of_list=True)),),
        (status(422, "Invalid"), listed),
        (LISTED, stream(line)),
    ):
        script, shelf = Script(*acts), Shy()
        async with connected(script) as connection:
            await until_over(Watch(Stream("/things"), connection, shelf, random=Random(1), now=clock.now), script)
        assert shelf.things["a"] == 1


@virtual
async def test_a_bug_in_one_objects_way_costs_that_object_alone(caplog: pytest.LogCaptureFixture) -> None:
    poison = event("ADDED", {"metadata": {"name": "p", "namespace": "ns"}})  # the shelf looks for a version, in vain
    ran = await follow(
        stream(poison, event("ADDED", thing("a", 1)), bookmark(5, end_of_list=True)),
        stream(poison, event("MODIFIED", thing("a", 9))),
        stream(poison),
        stream(event("ADDED", thing("a", 9)), poison, bookmark(9, end_of_list=True)),
        stream(event("ADDED", thing("b", 10))),
    )
    assert ran.shelf.things == {"a": 9, "b": 10}
    assert versions(ran.asked) == ["list", "5", "5", "list", "9", "10"]
    assert "an object cannot be taken: it is left out" in caplog.messages
    assert "an event cannot be taken" in caplog.messages


@virtual
async def test_what_is_deleted_while_the_list_is_streamed_is_not_in_it() -> None:
    ran = await follow(
        stream(
            event("ADDED", thing("a", 1)),
            event("ADDED", thing("b", 2)),
            event("DELETED", thing("a", 3)),
            bookmark(5, end_of_list=True),
        )
    )
    assert ran.shelf.things == {"b": 2}


# --- watches


@virtual
async def test_a_watch_goes_on_from_its_last_version() -> None:
    ran = await follow(
        LISTED,
        stream(event("MODIFIED", thing("a", 7)), event("DELETED", thing("b", 8))),
        stream(bookmark(30)),
        cut_off(event("ADDED", thing("c", 31))),
        stream(event("MODIFIED", thing("c", 32))[:-9]),  # half a line
    )
    assert ran.shelf.things == {"a": 7, "c": 31}
    assert versions(ran.asked) == ["list", "5", "8", "30", "31", "31"]
    assert ran.shelf.told == ["synced"]


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
def test_a_version_that_is_no_good_lists_again_and_tells_what_vanished(gone: Act) -> None:
    async def test() -> None:
        ran = await follow(
            LISTED,
            gone,
            stream(event("ADDED", thing("b", 2)), event("ADDED", thing("c", 9)), bookmark(9, end_of_list=True)),
        )
        assert ran.shelf.things == {"b": 2, "c": 9}
        assert versions(ran.asked) == ["list", "5", "list", "9"]
        assert ran.watch.lists == 2

    clock.run(test())


@virtual
async def test_a_storm_of_410_lists_at_a_decent_pace() -> None:
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
    "an error event that says nothing": stream(event("ERROR", None)),
    "half a line": stream(event("MODIFIED", thing("a", 99))[:-20]),
    "a connection that breaks": cut_off(),
    "an end at once": stream(),
}


@pytest.mark.parametrize("broken", KEPT.values(), ids=KEPT)
def test_whatever_else_happens_changes_nothing_keeps_the_version_and_does_not_spin(broken: Act) -> None:
    async def test() -> None:
        ran = await follow(LISTED, broken, broken, broken, random=Most())
        assert ran.shelf.things == BOTH
        assert versions(ran.asked) == ["list", "5", "5", "5", "5"]
        assert ran.waits == [0.8, 1.6, 3.2]

    clock.run(test())


GARBAGE: dict[str, bytes] = {
    "a page of HTML that says it is JSON": b"<html>login</html>\n",
    "an object without metadata": event("MODIFIED", {"a": 1}),
    "an object that is null": event("DELETED", None),
    "an event without a type": b'{"object": {}}\n',
    "an event whose type is a number": b'{"type": 1, "object": {}}\n',
    "a list": b"[]\n",
    "no text": b'{"type": "\xff"}\n',
    "half a line, and then the next": event("MODIFIED", thing("a", 98))[:-20] + event("MODIFIED", thing("a", 99)),
    "an object without a version": event("MODIFIED", {"metadata": {"name": "a", "resourceVersion": ""}}),
    "a bookmark without a version": event("BOOKMARK", {"metadata": {}}),
    "a bookmark that is none": event("BOOKMARK", {"metadata": []}),
}  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_event_and_twice_at_one_place_lists_again(garbage: bytes) -> None:
    async def test() -> None:
        good = event("MODIFIED", thing("b", 6))
        ran = await follow(LISTED, stream(garbage), stream(good, garbage), stream(garbage), LISTED, random=Most())
        assert ran.shelf.things == BOTH
        assert versions(ran.asked) == ["list", "5", "5", "6", "list", "5"]
        assert ran.waits == [0.8, 1.6, 3.2]

    clock.run(test())


@virtual
async def test_an_unknown_kind_of_event_is_passed_over_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    ran = await follow(LISTED, stream(*[event("SURPRISE", thing("a", 50))] * 100, event("MODIFIED", thing("a", 7))))
    assert ran.shelf.things == {"a": 7, "b": 2}
    assert versions(ran.asked)[-1] == "7"
    assert [record.message for record in caplog.records].count("unknown watch event") == 1


@virtual
async def test_lines_of_three_mebibytes_come_whole() -> None:
    large = thing("a", 6, padding="x" * (3 * 2**20))
    ran = await follow(LISTED, stream(event("MODIFIED", large), event("MODIFIED", thing("b", 7))))
    assert ran.shelf.things == {"a": 6, "b": 7}
    assert ran.shelf.largest > 3 * 2**20


@virtual
async def test_a_line_longer_than_any_object_breaks_the_stream_and_not_us() -> None:
    endless = stream(*[b"x" * 2**20] * 33)
    ran = await follow(LISTED, endless, LISTED)
    assert ran.shelf.things == BOTH
    assert versions(ran.asked)[:3] == ["list", "5", "5"]


# --- what a stream waits for, and for how long


@virtual
async def test_a_peer_that_falls_silent_is_noticed_within_75_seconds_and_the_version_kept() -> None:
    script, shelf = Script(LISTED), Shelf()
    script.acts.append(silent(script, bookmark(6)))
    async with connected(script) as connection:
        watch = Watch(Stream("/things"), connection, shelf, random=Most(), now=clock.now)
        await until_over(watch, script)
    assert versions(script.asked) == ["list", "5", "6"]
    assert 70 <= script.calls[2].at - script.calls[1].at <= 75


@virtual
async def test_a_peer_that_never_answers_is_noticed_too() -> None:
    script = Script(LISTED)

    async def mute(_: web.Request) -> web.StreamResponse:
        await script.closing.wait()
        return web.Response()

    script.acts.append(mute)
    async with connected(script) as connection:
        await until_over(Watch(Stream("/things"), connection, Shelf(), random=Most(), now=clock.now), script)
    assert 70 <= script.calls[2].at - script.calls[1].at <= 75


@virtual
async def test_a_quiet_watch_with_a_bookmark_a_minute_stays_open() -> None:
    ran = await follow(LISTED, slowly(*((60, bookmark(version)) for version in range(10, 20))))
    assert versions(ran.asked) == ["list", "5", "19"]
    assert ran.waits == []
    assert ran.calls[2].at - ran.calls[1].at == pytest.approx(600)


@virtual
async def test_the_backoff_doubles_up_to_half_a_minute() -> None:
    ran = await follow(LISTED, *[status(500, "InternalError")] * 9, random=Most())
    assert ran.waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0])
    gaps = [later.at - call.at for call, later in zip(ran.calls[1:], ran.calls[2:], strict=False)]
    assert gaps == pytest.approx(ran.waits)


@virtual
async def test_the_backoff_has_full_jitter() -> None:
    ran = await follow(LISTED, *[status(500, "InternalError")] * 300, random=Random(7))
    late = ran.waits[10:]
    assert min(late) < 1
    assert max(late) > 29
    assert 13 < sum(late) / len(late) < 17


@virtual
async def test_two_minutes_of_health_forget_what_was_before() -> None:
    fails = status(500, "InternalError")
    healthy = slowly((60, bookmark(6)), (60, bookmark(7)), (1, error_event(500, "InternalError")))
    ill = slowly((60, bookmark(8)), (59, error_event(500, "InternalError")))
    ran = await follow(LISTED, fails, fails, healthy, ill, random=Most())
    assert ran.waits == [0.8, 1.6, 0.8, 1.6]


@virtual
async def test_a_stream_is_in_trouble_while_it_fails_and_no_more_when_it_flows() -> None:
    troubles: list[int] = []
    script = Script(LISTED, status(500, "InternalError"), status(500, "InternalError"))

    async def flowing(request: web.Request) -> web.StreamResponse:
        act = slowly((0, bookmark(6)), (60, bookmark(7)), (30, bookmark(8)))
        asyncio.get_running_loop().call_later(80, lambda: troubles.append(watch.trouble))
        return await act(request)

    script.acts.append(flowing)
    async with connected(script) as connection:
        watch = Watch(Stream("/things"), connection, Shelf(), random=Most(), now=clock.now)
        asyncio.get_running_loop().call_later(2, lambda: troubles.append(watch.trouble))
        await until_over(watch, script)
    assert troubles == [2, 0]


@virtual
async def test_that_a_stream_is_away_is_logged_and_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "atmpl.kube.watch")
    await follow(status(404), status(404), LISTED, status(500), status(500), stream(bookmark(7)), stream(bookmark(8)))
    said = [record.message for record in caplog.records]
    assert said[:5] == [
        "not served by this cluster",
        "stream is back",
        "stream broke",
        "stream broke",
        "stream is back",
    ]
    assert "stream is back" not in said[5:]


@virtual
async def test_the_servers_own_wait_is_honoured() -> None:
    ran = await follow(
        status(429, "TooManyRequests", "later", **{"Retry-After": "17"}),
        LISTED,
        stream(error_event(429, "TooManyRequests", details={"retryAfterSeconds": 23})),
        status(429, "TooManyRequests", **{"Retry-After": "Fri, 31 Dec 2049 23:59:59 GMT"}),
    )
    assert ran.waits[:2] == [17, 23]
    assert ran.waits[2] < 4
    assert versions(ran.asked) == ["list", "list", "5", "5", "5"]


@virtual
async def test_watches_that_end_at_once_do_not_spin() -> None:
    ran = await follow(LISTED, *[stream(bookmark(6))] * 20, random=Most())
    assert ran.waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6] + [30] * 14)


@virtual
async def test_a_watch_that_does_its_work_is_followed_by_the_next_at_once() -> None:
    ran = await follow(LISTED, *[slowly((2, bookmark(6)))] * 20)
    assert ran.waits == []


@virtual
async def test_a_refused_connection_backs_off_and_the_version_is_kept() -> None:
    first, second, shelf = Script(LISTED), Script(), Shelf()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    async with Connection(credentials := Anybody("")) as connection:
        watch = Watch(Stream("/things"), connection, shelf, random=Most(), now=clock.now, sleep=sleep)
        async with serving(first) as url:
            credentials.given = credentials.given._replace(server=url)
            task = asyncio.create_task(watch.run())
            await first.over.wait()
        await asyncio.sleep(600)
        assert shelf.things == BOTH
        assert waits[:6] == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6])
        assert set(waits[6:]) == {30.0}
        async with serving(second, port=int(url.rpartition(":")[2])):
            await second.over.wait()
            assert versions(second.asked) == ["5"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


UNSERVED: dict[str, Act] = {
    "the plain 404": status(404),
    "the 404 of a group that has other kinds": status(404, "NotFound", "could not find the requested resource", {}),
}


@pytest.mark.parametrize("unserved", UNSERVED.values(), ids=UNSERVED)
def test_an_api_that_is_not_served_counts_as_empty_and_is_asked_again_every_half_minute(unserved: Act) -> None:
    async def test() -> None:
        ran = await follow(unserved, unserved, LISTED, unserved, status(422, "Invalid"), unserved, LISTED)
        assert ran.shelf.told == ["not served", "not served", "synced", "not served", "not served", "synced"]
        assert ran.shelf.things == BOTH
        assert versions(ran.asked) == ["list", "list", "list", "5", "list", "page ", "list", "5"]
        assert ran.waits == [30, 30, 30, 30]

    clock.run(test())


@virtual
async def test_an_api_that_goes_takes_its_objects_with_it() -> None:
    ran = await follow(LISTED, status(404))
    assert ran.shelf.things == {}
    assert ran.shelf.told == ["synced", "not served"]


@virtual
async def test_a_thousand_objects_let_others_breathe() -> None:
    breaths = 0

    async def breathe() -> None:
        nonlocal breaths
        while True:
            breaths += 1
            await asyncio.sleep(0)

    breathing = asyncio.create_task(breathe())
    lines = b"".join(event("ADDED", thing(f"t{number}", number)) for number in range(1, 2049))
    ran = await follow(stream(lines + bookmark(5000, end_of_list=True)))
    breathing.cancel()
    await asyncio.gather(breathing, return_exceptions=True)
    assert len(ran.shelf.things) == 2048
    assert breaths >= 8
