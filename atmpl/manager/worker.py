"""A worker: takes a key, has it judged, and says to the queue what is to become of it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import assert_never

from atmpl.controller.cluster import Cluster
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Outcome,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    SourceGone,
    UpToDate,
    label,
    should_suppress_status,
)
from atmpl.controller.request import Request
from atmpl.controller.turn import turn
from atmpl.kube.event_recorder import EventRecorder
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.workqueue import Closed, WorkQueue
from atmpl.manager.metrics import Metrics
from atmpl.manager.rate_limit import RateLimiter

log = logging.getLogger("atmpl")

PAUSE = 1.0  # seconds that a key waits where the lease has run out, until it is found lost or renewed


class Worker:
    """What all workers share; `run` is one of them."""

    def __init__(
        self,
        queue: WorkQueue[ObjectKey],
        requests: RequestStore,
        cluster: Cluster,
        metrics: Metrics,
        events: EventRecorder,
        *,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._queue = queue
        self._requests = requests
        self._cluster = cluster
        self._metrics = metrics
        self._events = events
        self._utc = utc
        self._pace = RateLimiter(asyncio.get_running_loop().time)

    async def run(self, may_work: Callable[[], bool]) -> None:
        """Work until the queue is closed, and only while `may_work`: a process may sleep between two of its steps."""
        while True:
            try:
                key = await self._queue.get()
            except Closed:
                return
            try:
                if may_work():
                    await self._turn(key)
                else:
                    self._queue.add_after(key, PAUSE)
            except asyncio.CancelledError:
                self._queue.add(key)  # whoever works next begins anew
                raise
            except Exception:  # a bug of ours in one request's way is not to take the workers from all others
                log.exception("turn failed", extra={"request": str(key)})
                self._queue.retry(key)
            finally:
                self._queue.done(key)

    async def _turn(self, key: ObjectKey) -> None:
        """Have a request judged, unless it is gone, or to be left alone for now."""
        request = self._requests.get(key)
        if request is None:
            self._queue.forget_entirely(key)
        elif self._requests.awaits_own_write(key):
            pass  # it comes again when the stream shows our last write
        elif (left := self._pace.left(request.uid)) > 0:
            self._queue.add_after(key, left)
        else:
            await self._judge(key, request)

    async def _judge(self, key: ObjectKey, request: Request) -> None:
        began = perf_counter()
        failures = self._queue.failures(key)
        outcome, verdict = await turn(request, self._cluster, self._utc(), failures=failures)
        took = perf_counter() - began
        self._metrics.reconciled(outcome, verdict, took)
        self._pace.judged(request.uid, outcome)
        self._next(key, outcome)
        if isinstance(outcome, Blocked | Rejected | Retry) and not should_suppress_status(outcome, failures):
            self._events.record_failure(request, outcome.reason, outcome.message)
        elif isinstance(outcome, Rendered | SourceGone | Detached):
            self._events.record_success(request)
        if isinstance(outcome, Rendered) and outcome.seconds:
            self._metrics.render_seconds.observe(outcome.seconds)
        level = logging.DEBUG if isinstance(outcome, UpToDate | RequestGone) else logging.INFO
        if log.isEnabledFor(level):
            log.log(level, label(outcome), extra=_about(request, outcome, took))

    def _next(self, key: ObjectKey, outcome: Outcome) -> None:
        """Say to the queue what is to become of the key."""
        match outcome:
            case Retry(after=after):
                self._queue.retry(key, after)
            case Conflict():
                self._queue.retry_conflict(key)
            case Blocked(again=float(again)) | UpToDate(again=float(again)) | RequestGone(again=float(again)):
                self._queue.forget(key)
                self._queue.add_after(key, again)
            case Rendered() | SourceGone() | Detached() | Blocked() | Rejected() | UpToDate() | RequestGone():
                self._queue.forget(key)
            case _:
                assert_never(outcome)


def _about(request: Request, outcome: Outcome, took: float) -> dict[str, object]:
    about: dict[str, object] = {"request": str(request.key), "ms": round(took * 1000, 1)}
    if request.spec:
        about |= {"vm": str(request.spec.source), "template": str(request.template_key(request.spec))}
    if isinstance(outcome, Blocked | Rejected | Retry):
        about["why"] = outcome.message
    return about
