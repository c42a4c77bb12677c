"""The consequences of each outcome: requeue, events, log."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Expired,
    Outcome,
    Postponed,
    Published,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    Source,
    SourceGone,
    UpToDate,
)
from atmpl.controller.reconcile import ReconcileResult
from atmpl.controller.request import Request
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.workqueue import WorkQueue
from atmpl.manager import worker
from tests.simulation.simulation import Uncounted
from tests.support import virtual_clock
from tests.support.builders import NAMESPACE, a_request

KEY = ObjectKey(NAMESPACE, "request")
RENDERED = Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="", written=True)
FAILED = Retry(Reason.FAILED, "no answer")
HOUR = 3600.0


class WorkerBench:
    """A worker with its own queue and store. Its reconciles return `outcomes` in order, and the last one repeatedly."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome | Exception) -> None:
        self.queue: WorkQueue[ObjectKey] = WorkQueue(random=Random(1))
        self.requests = RequestStore(self.queue.add, self.queue.remove)
        self.reconciled_at: list[float] = []  # seconds since the start
        self.names: list[str] = []  # of the requests
        self.failures: list[int] = []  # before each reconcile
        self.status: list[str] = []  # recorded events
        self.holds_lease = True
        self.during: Callable[[], None] = lambda: None  # called during each reconcile
        self._outcomes = list(outcomes)
        self._began = virtual_clock.now()
        self.worker = worker.WorkerPool(
            self.queue,
            self.requests,
            None,  # type: ignore[arg-type]
            Uncounted(),  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
        )
        monkeypatch.setattr(worker, "reconcile", self._reconcile)

    async def _reconcile(self, request: Request, *_: Any, failures: int, **__: Any) -> ReconcileResult:
        self.names.append(request.key.name)
        self.reconciled_at.append(virtual_clock.now() - self._began)
        self.failures.append(failures)
        self.during()
        found = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(found, Exception):
            raise found
        return ReconcileResult(found)

    def record_failure(self, _: Request, reason: str, message: str) -> None:
        self.status.append(f"failure: {reason}: {message}")

    def record_success(self, _: Request) -> None:
        self.status.append("success")

    def upsert(self, version: str = "7", name: str = "request") -> Request:
        """Add a request as the stream does."""
        self.requests.upsert(request(version, name))
        found = self.requests.get(ObjectKey(NAMESPACE, name))
        assert found is not None
        return found

    @asynccontextmanager
    async def open(self, workers: int = 1) -> AsyncIterator[None]:
        """Run workers."""
        self.requests.mark_synced(served=True)
        tasks = [asyncio.create_task(self.worker.run(lambda: self.holds_lease)) for _ in range(workers)]
        yield
        self.queue.close()
        await asyncio.gather(*tasks)


def gone(bench: WorkerBench) -> None:
    """Delete the request as the stream does."""
    bench.requests.delete(request("8", "request"))


def request(version: str, name: str, uid: str = "1") -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps(a_request(name, metadata={"uid": uid, "resourceVersion": version})))


REQUEUES: dict[str, tuple[Outcome, list[int]]] = {  # outcome: seconds of the reconciles
    "rendered": (RENDERED, [0]),
    "up to date": (UpToDate(), [0]),
    "detached": (Detached(), [0]),
    "source gone": (SourceGone(ObjectKey(NAMESPACE, "vm")), [0]),
    "blocked": (Blocked(Reason.SOURCE_NOT_FOUND, ""), [0]),
    "blocked, with rechecks": (Blocked(Reason.TARGET_CONFLICT, "", requeue_after=4.0), [0, 4, 8]),
    "with a TTL": (UpToDate(requeue_after=4.0), [0, 4, 8]),
    "namespace deleted": (RequestGone(requeue_after=4.0), [0, 4, 8]),
    "request deleted": (RequestGone(), [0]),
    "rejected": (Rejected(Reason.INVALID_SOURCE, ""), [0]),
    "failed: exponential backoff": (FAILED, [0, 1, 3, 7]),
    "failed with Retry-After": (Retry(Reason.FAILED, "", 5.0), [0, 5, 10]),
    "conflict: at once a few times, then with backoff": (Conflict(""), [0, 0, 0, 0, 0, 1, 3, 8]),
}


@pytest.mark.parametrize("case", REQUEUES)
@virtual_clock.virtual
async def test_outcome_decides_the_requeue(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, seconds = REQUEUES[case]
    bench = WorkerBench(monkeypatch, outcome)
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(10.5)
    assert [int(time) for time in bench.reconciled_at] == seconds


@virtual_clock.virtual
async def test_success_resets_the_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch, FAILED, FAILED, RENDERED, FAILED)
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(10)
        bench.queue.add(KEY)
        await asyncio.sleep(0.5)
    assert bench.failures == [0, 1, 2, 0]


@virtual_clock.virtual
async def test_deleted_request_leaves_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch, UpToDate(requeue_after=HOUR))
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(1)
        assert bench.queue.delayed == 1
        gone(bench)
        await asyncio.sleep(1)
        assert bench.queue.delayed == 0
    assert len(bench.reconciled_at) == 1


@virtual_clock.virtual
async def test_request_deleted_during_reconcile_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch, UpToDate(requeue_after=HOUR))
    async with bench.open():
        bench.during = lambda: gone(bench)
        bench.upsert()
        await asyncio.sleep(1)
        assert bench.queue.delayed == 0
    assert len(bench.reconciled_at) == 1


@virtual_clock.virtual
async def test_reconcile_waits_for_own_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = WorkerBench(monkeypatch, RENDERED)
    async with bench.open():
        first = bench.upsert()
        await asyncio.sleep(1)
        bench.requests.record_write(first, "9")
        bench.queue.add(KEY)
        await asyncio.sleep(5)
        assert len(bench.reconciled_at) == 1
        bench.upsert("9")
        await asyncio.sleep(1)
    assert [int(time) for time in bench.reconciled_at] == [0, 6]


@virtual_clock.virtual
async def test_expensive_reconciles_are_rate_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = WorkerBench(monkeypatch, Rejected(Reason.INVALID_SOURCE, ""))
    async with bench.open():
        bench.upsert()
        for _ in range(45):
            bench.queue.add(KEY)
            await asyncio.sleep(0.1)
    assert [round(time) for time in bench.reconciled_at] == [0, 1, 2, 3, 4]


@virtual_clock.virtual
async def test_recreated_request_is_not_rate_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = WorkerBench(monkeypatch, Retry(Reason.FAILED, "", 300.0), RENDERED)
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(1)
        gone(bench)
        bench.requests.upsert(request("9", "request", uid="2"))
        await asyncio.sleep(0.1)
    assert [int(time) for time in bench.reconciled_at] == [0, 1]


EVENTS: dict[str, tuple[list[Outcome], list[str]]] = {
    "rendered": ([RENDERED], ["success"]),
    "detached": ([Detached()], ["success"]),
    "source gone: Ready stays True": ([SourceGone(ObjectKey(NAMESPACE, "vm"))], ["success"]),
    "blocked": ([Blocked(Reason.SOURCE_NOT_FOUND, "no VM")], ["failure: SourceNotFound: no VM"]),
    "rejected": ([Rejected(Reason.TOO_LARGE, "much")], ["failure: TooLarge: much"]),
    "failed": ([FAILED, RENDERED], ["failure: Failed: no answer", "success"]),
    "Retry-After, then rendered": ([Retry(Reason.FAILED, "slow down", 1.0), RENDERED], ["success"]),
    "up to date": ([UpToDate()], []),
    "conflict, then deleted": ([Conflict(""), RequestGone()], []),
}


@pytest.mark.parametrize("case", EVENTS)
@virtual_clock.virtual
async def test_failures_are_recorded_as_events(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, events = EVENTS[case]
    bench = WorkerBench(monkeypatch, *outcomes)
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(5)
    assert bench.status == events


@virtual_clock.virtual
async def test_postponed_request_comes_after_those_that_wait(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench = WorkerBench(monkeypatch, Postponed(), RENDERED)
    async with bench.open():
        bench.upsert(name="first")
        bench.upsert(name="second")
        await asyncio.sleep(0.1)
    assert bench.names == ["first", "second", "first"]
    assert bench.reconciled_at == [0, 0, 0]
    assert bench.status == ["success", "success"]
    assert [record.getMessage() for record in caplog.records] == ["Rendered", "Rendered"]


@virtual_clock.virtual
async def test_exception_does_not_stop_the_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = WorkerBench(monkeypatch, ZeroDivisionError(), RENDERED)
    async with bench.open(workers=1):
        bench.upsert(name="first")
        bench.upsert(name="second")
        await asyncio.sleep(5)
    assert [int(time) for time in bench.reconciled_at] == [0, 0, 1]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == ["reconcile failed"]


@virtual_clock.virtual
async def test_no_reconcile_without_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch, RENDERED)
    bench.holds_lease = False
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(2.5)
        assert bench.reconciled_at == []
        bench.holds_lease = True
        await asyncio.sleep(1)
    assert len(bench.reconciled_at) == 1


@virtual_clock.virtual
async def test_cancelled_worker_requeues_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch, RENDERED)
    hangs = asyncio.Event()

    async def hanging(*_: Any, **__: Any) -> ReconcileResult:
        await hangs.wait()
        raise AssertionError

    reconcile = worker.reconcile
    monkeypatch.setattr(worker, "reconcile", hanging)
    bench.requests.mark_synced(served=True)
    bench.upsert()
    task = asyncio.create_task(bench.worker.run(lambda: True))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    monkeypatch.setattr(worker, "reconcile", reconcile)
    async with bench.open():
        await asyncio.sleep(1)
    assert len(bench.reconciled_at) == 1


def reported(reason: Reason, message: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "False", "reason": reason, "message": message}
    return {"conditions": [ready | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]}


LOGGED: dict[str, tuple[Outcome, dict[str, Any], list[tuple[str, str]]]] = {
    "a template": (RENDERED, {}, [("INFO", "Rendered")]),
    "a template as before": (replace(RENDERED, written=False), reported(Reason.RENDERED, "done"), []),
    "a failure": (FAILED, {}, [("WARNING", "Failed")]),
    "the same failure": (FAILED, reported(Reason.FAILED, "no answer"), []),
    "another failure": (FAILED, reported(Reason.FAILED, "no template"), [("WARNING", "Failed")]),
    "an invalid source": (Rejected(Reason.INVALID_SOURCE, "path"), {}, [("INFO", "InvalidSource")]),
    "the same invalid source": (
        Rejected(Reason.INVALID_SOURCE, "path"),
        reported(Reason.INVALID_SOURCE, "path"),
        [],
    ),
    "a long message as before": (
        Rejected(Reason.INVALID_SOURCE, "x" * 2000),
        reported(Reason.INVALID_SOURCE, "x" * 1023 + "…"),
        [],
    ),
    "nothing": (UpToDate(), {}, []),
    "a TTL": (Expired(), reported(Reason.RENDERED, "done"), [("INFO", "Expired")]),
}


@pytest.mark.parametrize("case", LOGGED)
@virtual_clock.virtual
async def test_outcome_is_logged_if_it_is_new(
    case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcome, status, lines = LOGGED[case]
    caplog.set_level(logging.INFO)
    bench = WorkerBench(monkeypatch, outcome)
    async with bench.open():
        shown = a_request("request", metadata={"uid": "1", "resourceVersion": "7"}) | {"status": status}
        bench.requests.upsert(msgspec.Raw(orjson.dumps(shown)))
        bench.queue.add(KEY)
        await asyncio.sleep(0.1)
    assert len(bench.reconciled_at) == 1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == lines
    assert all(vars(record)["uid"] == "1" for record in caplog.records)


@virtual_clock.virtual
async def test_failure_that_no_status_shows_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    other = Retry(Reason.FORBIDDEN, "no right")
    bench = WorkerBench(monkeypatch, FAILED, FAILED, FAILED, other, other, RENDERED)
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(HOUR)
        bench.upsert("8")
        await asyncio.sleep(HOUR)
    assert len(bench.reconciled_at) == 7
    assert [record.getMessage() for record in caplog.records] == ["Failed", "Forbidden", "Rendered", "Rendered"]


@virtual_clock.virtual
async def test_postponing_forgets_no_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = WorkerBench(monkeypatch, FAILED, Postponed(), FAILED, Postponed(), RENDERED)
    async with bench.open():
        bench.upsert()
        await asyncio.sleep(HOUR)
    assert bench.failures == [0, 1, 1, 2, 2]
    assert [record.getMessage() for record in caplog.records] == ["Failed", "Rendered"]


@virtual_clock.virtual
async def test_remembered_failures_are_limited(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "MAX_REMEMBERED_FAILURES", 2)
    bench = WorkerBench(monkeypatch, FAILED)
    async with bench.open():
        for uid in "123":
            bench.requests.upsert(request("7", f"request-{uid}", uid))
        await asyncio.sleep(0.5)
    assert [record.getMessage() for record in caplog.records] == ["Failed"] * 3
    assert list(bench.worker._logged_failures) == ["3"]
