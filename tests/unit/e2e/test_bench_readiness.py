"""The watch that records when requests become ready."""

import asyncio

import pytest

from e2e.bench.bench_cluster import FailedError
from e2e.bench.readiness import Readiness


def request(name: str, ready: str = "") -> dict:
    conditions = [{"type": "Ready", "status": ready, "reason": "Failed", "message": "x"}] if ready else []
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


async def test_first_ready_event_counts() -> None:
    readiness = Readiness()
    readiness.observe(request("a"), 1.0)
    readiness.observe(request("a", "True"), 2.0)
    readiness.observe(request("a", "True"), 3.0)
    assert await readiness.one("a") == 2.0


async def test_wait_is_for_one_request() -> None:
    readiness = Readiness()
    waiting = asyncio.create_task(readiness.one("b"))
    await asyncio.sleep(0)
    readiness.observe(request("a", "True"), 1.0)
    assert not waiting.done()
    readiness.observe(request("b", "True"), 2.0)
    assert await waiting == 2.0


async def test_all_returns_times_in_order() -> None:
    readiness = Readiness()
    waiting = asyncio.create_task(readiness.all(2, timeout=10))
    await asyncio.sleep(0)
    readiness.observe(request("b", "True"), 2.0)
    readiness.observe(request("a", "True"), 3.0)
    assert await waiting == [2.0, 3.0]


async def test_a_failed_request_fails_every_wait() -> None:
    readiness = Readiness()
    waiting = [asyncio.create_task(readiness.all(2, timeout=10)), asyncio.create_task(readiness.one("a"))]
    await asyncio.sleep(0)
    readiness.observe(request("b", "False"), 2.0)
    for task in waiting:
        with pytest.raises(FailedError, match="request b is not ready: Failed: x"):
            await task


async def test_a_missing_request_fails_the_run() -> None:
    with pytest.raises(FailedError, match="1 of 1 requests not ready"):
        await Readiness().all(1, timeout=0)
