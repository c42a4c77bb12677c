"""Invalid events and objects in watches and lists: they change nothing, and one does not affect the others."""

import asyncio
import logging
from random import Random

import msgspec
import orjson
import pytest

from atmpl.kube.reflector import Reflector
from atmpl.kube.stores import ObjectVersion
from atmpl.kube.watch_events import WatchTarget
from tests.support import virtual_clock
from tests.support.recording_store import BOTH, LISTED, Most, RecordingStore, follow, until_over, versions
from tests.support.scripted_server import (
    Script,
    bookmark,
    connected,
    event,
    page,
    status,
    stream,
    text,
    thing,
)
from tests.support.virtual_clock import virtual

NO_LIST: dict[str, bytes] = {
    "a list without a version": b'{"metadata": {}, "items": []}',
    "an object": b'{"kind": "Pod"}',
    "a number": b"1",
    "nothing": b"",
    "items that are none": b'{"metadata": {"resourceVersion": "5"}, "items": {}}',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("body", NO_LIST.values(), ids=NO_LIST)
def test_invalid_list_keeps_the_objects(body: bytes) -> None:
    async def test() -> None:
        ran = await follow(LISTED, status(410, "Expired"), status(422, "Invalid"), text(200, body))
        assert ran.store.things == BOTH
        assert ran.store.status == ["synced"]
        assert versions(ran.queries)[-1] == "page "

    virtual_clock.run(test())


@virtual
async def test_invalid_object_is_skipped_in_a_list(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = {"spec": {}}
    ran = await follow(
        stream(event("ADDED", bad), event("ADDED", thing("a", 1)), bookmark(5, end_of_list=True)),
        status(410, "Expired"),
        status(422, "Invalid"),
        page([thing("b", 2), bad], "6"),
    )
    assert (ran.store.things, ran.store.status) == ({"b": 2}, ["synced", "synced"])
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "object skipped: it cannot be decoded"
    ] * 2


class Shy(RecordingStore):
    """A store whose decoder stops at 600 nested lists."""

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        if bytes(data).count(b"[") > 600:
            raise RecursionError
        return super().upsert(data)


@virtual
async def test_deep_object_is_pruned() -> None:
    deep = orjson.dumps(thing("a", 1))[:-1] + b', "deep": ' + b"[" * 700 + b"]" * 700 + b"}"
    line = b'{"type": "ADDED", "object": ' + deep + b"}\n"
    listed = text(200, b'{"metadata": {"resourceVersion": "5"}, "items": [' + deep + b"]}")
    for acts in (
        (stream(line, bookmark(5, end_of_list=True)),),
        (status(422, "Invalid"), listed),
        (LISTED, stream(line)),
    ):
        script, store = Script(*acts), Shy()
        async with connected(script) as connection:
            await until_over(
                Reflector(WatchTarget("/things"), connection, store, random=Random(1), now=virtual_clock.now), script
            )
        assert store.things["a"] == 1


@virtual
async def test_bug_with_one_object_loses_only_that_object(caplog: pytest.LogCaptureFixture) -> None:
    poison = event(
        "ADDED", {"metadata": {"name": "p", "namespace": "ns"}}
    )  # the store raises KeyError: it has no version
    ran = await follow(
        stream(poison, event("ADDED", thing("a", 1)), bookmark(5, end_of_list=True)),
        stream(poison, event("MODIFIED", thing("a", 9))),
        stream(poison),
        stream(event("ADDED", thing("a", 9)), poison, bookmark(9, end_of_list=True)),
        stream(event("ADDED", thing("b", 10))),
    )
    assert ran.store.things == {"a": 9, "b": 10}
    assert versions(ran.queries) == ["list", "5", "5", "list", "9", "10"]
    assert "object skipped: it cannot be stored" in caplog.messages
    assert "event failed" in caplog.messages


GARBAGE: dict[str, bytes] = {
    "a page of HTML with the content type of JSON": b"<html>login</html>\n",
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
def test_invalid_event_twice_lists_again(garbage: bytes) -> None:
    async def test() -> None:
        good = event("MODIFIED", thing("b", 6))
        ran = await follow(LISTED, stream(garbage), stream(good, garbage), stream(garbage), LISTED, random=Most())
        assert ran.store.things == BOTH
        assert versions(ran.queries) == ["list", "5", "5", "6", "list", "5"]
        assert ran.waits == [0.8, 1.6, 3.2]

    virtual_clock.run(test())


@virtual
async def test_unknown_event_type_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    ran = await follow(LISTED, stream(*[event("SURPRISE", thing("a", 50))] * 100, event("MODIFIED", thing("a", 7))))
    assert ran.store.things == {"a": 7, "b": 2}
    assert versions(ran.queries)[-1] == "7"
    assert [record.message for record in caplog.records].count("unknown watch event") == 1


@virtual
async def test_event_of_3_mib_is_decoded() -> None:
    large = thing("a", 6, padding="x" * (3 * 2**20))
    ran = await follow(LISTED, stream(event("MODIFIED", large), event("MODIFIED", thing("b", 7))))
    assert ran.store.things == {"a": 6, "b": 7}
    assert ran.store.largest > 3 * 2**20


@virtual
async def test_too_long_line_fails_the_watch() -> None:
    endless = stream(*[b"x" * 2**20] * 33)
    ran = await follow(LISTED, endless, LISTED)
    assert ran.store.things == BOTH
    assert versions(ran.queries)[:3] == ["list", "5", "5"]


@virtual
async def test_decoding_yields_to_other_tasks() -> None:
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
    assert len(ran.store.things) == 2048
    assert breaths >= 8
