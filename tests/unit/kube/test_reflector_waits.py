"""The timeouts and backoffs of a reflector."""

import asyncio
import logging
from dataclasses import replace
from random import Random

import pytest
from aiohttp import web

from atmpl.kube.client import KubeClient
from atmpl.kube.reflector import Reflector
from atmpl.kube.watch_events import WatchTarget
from tests.support import virtual_clock
from tests.support.recording_store import BOTH, LISTED, Most, RecordingStore, follow, until_over, versions
from tests.support.scripted_server import (
    Act,
    FixedCredentials,
    Script,
    bookmark,
    connected,
    error_event,
    serving,
    silent,
    slowly,
    status,
    stream,
)
from tests.support.virtual_clock import virtual


@virtual
async def test_silent_watch_is_reopened_at_its_version() -> None:
    script, store = Script(LISTED), RecordingStore()
    script.acts.append(silent(script, bookmark(6)))
    async with connected(script) as connection:
        watch = Reflector(WatchTarget("/things"), connection, store, random=Most(), now=virtual_clock.now)
        await until_over(watch, script)
    assert versions(script.queries) == ["list", "5", "6"]
    assert 70 <= script.calls[2].at - script.calls[1].at <= 75


@virtual
async def test_watch_without_a_response_times_out() -> None:
    script = Script(LISTED)

    async def mute(_: web.Request) -> web.StreamResponse:
        await script.closing.wait()
        return web.Response()

    script.acts.append(mute)
    async with connected(script) as connection:
        await until_over(
            Reflector(WatchTarget("/things"), connection, RecordingStore(), random=Most(), now=virtual_clock.now),
            script,
        )
    assert 70 <= script.calls[2].at - script.calls[1].at <= 75


@virtual
async def test_bookmarks_keep_a_quiet_watch_open() -> None:
    ran = await follow(LISTED, slowly(*((60, bookmark(version)) for version in range(10, 20))))
    assert versions(ran.queries) == ["list", "5", "19"]
    assert ran.waits == []
    assert ran.calls[2].at - ran.calls[1].at == pytest.approx(600)


@virtual
async def test_watch_backoff_doubles_to_30_seconds() -> None:
    ran = await follow(LISTED, *[status(500, "InternalError")] * 9, random=Most())
    assert ran.waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0])
    gaps = [later.at - call.at for call, later in zip(ran.calls[1:], ran.calls[2:], strict=False)]
    assert gaps == pytest.approx(ran.waits)


@virtual
async def test_watch_backoff_has_full_jitter() -> None:
    ran = await follow(LISTED, *[status(500, "InternalError")] * 150, random=Random(7))
    late = ran.waits[10:]
    assert min(late) < 1
    assert max(late) > 29
    assert 13 < sum(late) / len(late) < 17


@virtual
async def test_long_watch_resets_the_failures() -> None:
    fails = status(500, "InternalError")
    healthy = slowly((60, bookmark(6)), (60, bookmark(7)), (1, error_event(500, "InternalError")))
    ill = slowly((60, bookmark(8)), (59, error_event(500, "InternalError")))
    ran = await follow(LISTED, fails, fails, healthy, ill, random=Most())
    assert ran.waits == [0.8, 1.6, 0.8, 1.6]


@virtual
async def test_consecutive_failures_are_0_while_watching() -> None:
    troubles: list[int] = []
    script = Script(LISTED, status(500, "InternalError"), status(500, "InternalError"))

    async def flowing(request: web.Request) -> web.StreamResponse:
        act = slowly((0, bookmark(6)), (60, bookmark(7)), (30, bookmark(8)))
        asyncio.get_running_loop().call_later(80, lambda: troubles.append(watch.consecutive_failures))
        return await act(request)

    script.acts.append(flowing)
    async with connected(script) as connection:
        watch = Reflector(WatchTarget("/things"), connection, RecordingStore(), random=Most(), now=virtual_clock.now)
        asyncio.get_running_loop().call_later(2, lambda: troubles.append(watch.consecutive_failures))
        await until_over(watch, script)
    assert troubles == [2, 0]


@virtual
async def test_failure_and_recovery_of_a_watch_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "atmpl.kube.reflector")
    await follow(status(404), status(404), LISTED, status(500), status(500), stream(bookmark(7)), stream(bookmark(8)))
    messages = [record.message for record in caplog.records]
    assert messages[:4] == ["API not served", "API served", "watch failed", "watch recovered"]
    assert "watch recovered" not in messages[4:]


@virtual
async def test_watch_honours_retry_after() -> None:
    ran = await follow(
        status(429, "TooManyRequests", "later", **{"Retry-After": "17"}),
        LISTED,
        stream(error_event(429, "TooManyRequests", details={"retryAfterSeconds": 23})),
        status(429, "TooManyRequests", **{"Retry-After": "Fri, 31 Dec 2049 23:59:59 GMT"}),
    )
    assert ran.waits[:2] == [17, 23]
    assert ran.waits[2] < 4
    assert versions(ran.queries) == ["list", "list", "5", "5", "5"]


@virtual
async def test_watches_that_end_at_once_back_off() -> None:
    ran = await follow(LISTED, *[stream(bookmark(6))] * 20, random=Most())
    assert ran.waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6] + [30] * 14)


@virtual
async def test_ended_watch_is_reopened_at_once() -> None:
    ran = await follow(LISTED, *[slowly((2, bookmark(6)))] * 20)
    assert ran.waits == []


@virtual
async def test_refused_connection_backs_off_and_keeps_the_version() -> None:
    first, second, store = Script(LISTED), Script(), RecordingStore()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    async with KubeClient(credentials := FixedCredentials("")) as connection:
        watch = Reflector(WatchTarget("/things"), connection, store, random=Most(), now=virtual_clock.now, sleep=sleep)
        async with serving(first) as url:
            credentials.given = replace(credentials.given, server=url)
            task = asyncio.create_task(watch.run())
            await first.over.wait()
        await asyncio.sleep(600)
        assert store.things == BOTH
        assert waits[:6] == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6])
        assert set(waits[6:]) == {30.0}
        async with serving(second, port=int(url.rpartition(":")[2])):
            await second.over.wait()
            assert versions(second.queries) == ["5"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


UNSERVED: dict[str, Act] = {
    "the plain 404": status(404),
    "the 404 of a group that has other kinds": status(404, "NotFound", "could not find the requested resource", {}),
}


@pytest.mark.parametrize("unserved", UNSERVED.values(), ids=UNSERVED)
def test_absent_api_is_checked_every_30_seconds(unserved: Act) -> None:
    async def test() -> None:
        ran = await follow(unserved, unserved, LISTED, unserved, status(422, "Invalid"), unserved, LISTED)
        assert ran.store.status == ["not served", "not served", "synced", "not served", "not served", "synced"]
        assert ran.store.things == BOTH
        assert versions(ran.queries) == ["list", "list", "list", "5", "list", "page ", "list", "5"]
        assert ran.waits == [30, 30, 30, 30]

    virtual_clock.run(test())


@virtual
async def test_removed_api_removes_its_objects() -> None:
    ran = await follow(LISTED, status(404))
    assert ran.store.things == {}
    assert ran.store.status == ["synced", "not served"]
