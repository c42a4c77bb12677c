"""What the watcher makes of what it sees."""

import asyncio

import pytest

from e2e.bench.errors import FailedError
from e2e.bench.readiness import Readiness


def request(name: str, ready: str = "") -> dict:
    conditions = [{"type": "Ready", "status": ready, "reason": "Failed", "message": "no luck"}] if ready else []
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


async def test_the_time_that_counts_is_that_of_the_first_event_that_shows_it_ready() -> None:
    readiness = Readiness()
    readiness.take(request("a"), 1.0)
    readiness.take(request("a", "True"), 2.0)
    readiness.take(request("a", "True"), 3.0)
    assert await readiness.one("a") == 2.0


async def test_who_waits_for_one_is_woken_by_that_one_alone() -> None:
    readiness = Readiness()
    waiting = asyncio.create_task(readiness.one("b"))
    await asyncio.sleep(0)
    readiness.take(request("a", "True"), 1.0)
    assert not waiting.done()
    readiness.take(request("b", "True"), 2.0)
    assert await waiting == 2.0


async def test_who_waits_for_all_gets_every_time_in_order() -> None:
    readiness = Readiness()
    waiting = asyncio.create_task(readiness.all(2, timeout=10))
    await asyncio.sleep(0)
    readiness.take(request("b", "True"), 2.0)
    readiness.take(request("a", "True"), 3.0)
    assert await waiting == [2.0, 3.0]


async def test_a_request_that_does_not_become_ready_spoils_the_run_for_everybody_who_waits() -> None:
    readiness = Readiness()
    waiting = [asyncio.create_task(readiness.all(2, timeout=10)), asyncio.create_task(readiness.one("a"))]
    await asyncio.sleep(0)
    readiness.take(request("b", "False"), 2.0)
    for task in waiting:
        with pytest.raises(FailedError, match="request b is not ready: Failed: no luck"):
            await task


async def test_a_request_that_nobody_serves_spoils_the_run() -> None:
    with pytest.raises(FailedError, match="1 of 1 requests not ready in 0 s"):
        await Readiness().all(1, timeout=0)
