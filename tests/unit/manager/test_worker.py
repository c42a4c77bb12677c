"""What a worker makes of each outcome: when the request comes again, and who hears of it."""

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


class Office:
    """A worker with a queue and a store of its own; `outcomes` are what it finds, in order, and the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome | Exception) -> None:
        self.queue: WorkQueue[ObjectKey] = WorkQueue(random=Random(1))
        self.requests = RequestStore(self.queue.add, self.queue.remove)
        self.judged: list[float] = []  # when
        self.failures: list[int] = []  # before each
        self.status: list[str] = []  # by events
        self.may_work = True
        self.during: Callable[[], None] = lambda: None  # what happens while a request is judged
        self._outcomes = list(outcomes)
        self._began = virtual_clock.now()
        self.worker = worker.Worker(
            self.queue,
            self.requests,
            None,  # type: ignore[arg-type]
            Uncounted(),  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
        )
        monkeypatch.setattr(worker, "reconcile", self._reconcile)

    async def _reconcile(self, request: Request, *_: Any, failures: int, policy_required: bool) -> ReconcileResult:
        self.judged.append(virtual_clock.now() - self._began)
        self.failures.append(failures)
        self.during()
        found = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(found, Exception):
            raise found
        return ReconcileResult(found)

    def record_failure(self, _: Request, reason: str, message: str) -> None:
        self.status.append(f"bad: {reason}: {message}")

    def record_success(self, _: Request) -> None:
        self.status.append("good")

    def shown(self, version: str = "7", name: str = "request") -> Request:
        """Let the stream show a request."""
        self.requests.upsert(request(version, name))
        found = self.requests.get(ObjectKey(NAMESPACE, name))
        assert found is not None
        return found

    @asynccontextmanager
    async def open(self, workers: int = 1) -> AsyncIterator[None]:
        """Have work done."""
        self.requests.mark_synced(served=True)
        tasks = [asyncio.create_task(self.worker.run(lambda: self.may_work)) for _ in range(workers)]
        yield
        self.queue.close()
        await asyncio.gather(*tasks)


def gone(office: Office) -> None:
    """Let the stream show that the request is deleted."""
    office.requests.delete(request("8", "request"))


def request(version: str, name: str, uid: str = "1") -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps(a_request(name, metadata={"uid": uid, "resourceVersion": version})))


AGAIN: dict[str, tuple[Outcome, list[int]]] = {  # outcome: in which seconds of the first ten it is judged
    "rendered": (RENDERED, [0]),
    "in step": (UpToDate(), [0]),
    "let go": (Detached(), [0]),
    "its source gone": (SourceGone(ObjectKey(NAMESPACE, "vm")), [0]),
    "waiting to be woken": (Blocked(Reason.SOURCE_NOT_FOUND, ""), [0]),
    "waiting, with a look now and then": (Blocked(Reason.TARGET_CONFLICT, "", requeue_after=4.0), [0, 4, 8]),
    "with a TTL": (UpToDate(requeue_after=4.0), [0, 4, 8]),
    "on its way out with its namespace": (RequestGone(requeue_after=4.0), [0, 4, 8]),
    "on its way out": (RequestGone(), [0]),
    "refused": (Rejected(Reason.INVALID_SOURCE, ""), [0]),
    "failed: later each time": (FAILED, [0, 1, 3, 7]),
    "failed, with a word of when to come again": (Retry(Reason.FAILED, "", 5.0), [0, 5, 10]),
    "moved: at once, a few times, and then it has failed": (Conflict(""), [0, 0, 0, 0, 0, 1, 3, 8]),
}


@pytest.mark.parametrize("sentence", AGAIN)
@virtual_clock.virtual
async def test_outcome_decides_the_requeue(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, seconds = AGAIN[sentence]
    office = Office(monkeypatch, outcome)
    async with office.open():
        office.shown()
        await asyncio.sleep(10.5)
    assert [int(time) for time in office.judged] == seconds


@virtual_clock.virtual
async def test_success_resets_the_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch, FAILED, FAILED, RENDERED, FAILED)
    async with office.open():
        office.shown()
        await asyncio.sleep(10)
        office.queue.add(KEY)
        await asyncio.sleep(0.5)
    assert office.failures == [0, 1, 2, 0]


@virtual_clock.virtual
async def test_deleted_request_leaves_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch, UpToDate(requeue_after=HOUR))
    async with office.open():
        office.shown()
        await asyncio.sleep(1)
        assert office.queue.delayed == 1
        gone(office)
        await asyncio.sleep(1)
        assert office.queue.delayed == 0
    assert len(office.judged) == 1


@virtual_clock.virtual
async def test_request_deleted_during_reconcile_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch, UpToDate(requeue_after=HOUR))
    async with office.open():
        office.during = lambda: gone(office)
        office.shown()
        await asyncio.sleep(1)
        assert office.queue.delayed == 0
    assert len(office.judged) == 1


@virtual_clock.virtual
async def test_reconcile_waits_for_own_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(monkeypatch, RENDERED)
    async with office.open():
        first = office.shown()
        await asyncio.sleep(1)
        office.requests.record_write(first, "9")
        office.queue.add(KEY)
        await asyncio.sleep(5)
        assert len(office.judged) == 1
        office.shown("9")
        await asyncio.sleep(1)
    assert [int(time) for time in office.judged] == [0, 6]


@virtual_clock.virtual
async def test_expensive_reconciles_are_rate_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(monkeypatch, Rejected(Reason.INVALID_SOURCE, ""))
    async with office.open():
        office.shown()
        for _ in range(45):
            office.queue.add(KEY)
            await asyncio.sleep(0.1)
    assert [round(time) for time in office.judged] == [0, 1, 2, 3, 4]


@virtual_clock.virtual
async def test_recreated_request_is_not_rate_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(monkeypatch, Retry(Reason.FAILED, "", 300.0), RENDERED)
    async with office.open():
        office.shown()
        await asyncio.sleep(1)
        gone(office)
        office.requests.upsert(request("9", "request", uid="2"))
        await asyncio.sleep(0.1)
    assert [int(time) for time in office.judged] == [0, 1]


TOLD: dict[str, tuple[list[Outcome], list[str]]] = {
    "good": ([RENDERED], ["good"]),
    "let go": ([Detached()], ["good"]),
    "its source gone: the template stays, and so does Ready": ([SourceGone(ObjectKey(NAMESPACE, "vm"))], ["good"]),
    "waiting": ([Blocked(Reason.SOURCE_NOT_FOUND, "no VM")], ["bad: SourceNotFound: no VM"]),
    "refused": ([Rejected(Reason.TOO_LARGE, "much")], ["bad: TooLarge: much"]),
    "failed": ([FAILED, RENDERED], ["bad: Failed: no answer", "good"]),
    "a server that asked to be left alone": ([Retry(Reason.FAILED, "slow down", 1.0), RENDERED], ["good"]),
    "nothing new": ([UpToDate()], []),
    "moved on": ([Conflict(""), RequestGone()], []),
}


@pytest.mark.parametrize("sentence", TOLD)
@virtual_clock.virtual
async def test_failures_are_recorded_as_events(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, told = TOLD[sentence]
    office = Office(monkeypatch, *outcomes)
    async with office.open():
        office.shown()
        await asyncio.sleep(5)
    assert office.status == told


@virtual_clock.virtual
async def test_exception_does_not_stop_the_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office(monkeypatch, ZeroDivisionError(), RENDERED)
    async with office.open(workers=1):
        office.shown(name="first")
        office.shown(name="second")
        await asyncio.sleep(5)
    assert [int(time) for time in office.judged] == [0, 0, 1]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == ["reconcile failed"]


@virtual_clock.virtual
async def test_no_reconcile_without_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch, RENDERED)
    office.may_work = False
    async with office.open():
        office.shown()
        await asyncio.sleep(2.5)
        assert office.judged == []
        office.may_work = True
        await asyncio.sleep(1)
    assert len(office.judged) == 1


@virtual_clock.virtual
async def test_cancelled_worker_requeues_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch, RENDERED)
    hangs = asyncio.Event()

    async def hanging(*_: Any, **__: Any) -> ReconcileResult:
        await hangs.wait()
        raise AssertionError

    reconcile = worker.reconcile
    monkeypatch.setattr(worker, "reconcile", hanging)
    office.requests.mark_synced(served=True)
    office.shown()
    task = asyncio.create_task(office.worker.run(lambda: True))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    monkeypatch.setattr(worker, "reconcile", reconcile)
    async with office.open():
        await asyncio.sleep(1)
    assert len(office.judged) == 1


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
    office = Office(monkeypatch, outcome)
    async with office.open():
        shown = a_request("request", metadata={"uid": "1", "resourceVersion": "7"}) | {"status": status}
        office.requests.upsert(msgspec.Raw(orjson.dumps(shown)))
        office.queue.add(KEY)
        await asyncio.sleep(0.1)
    assert len(office.judged) == 1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == lines
    assert all(vars(record)["uid"] == "1" for record in caplog.records)
