"""Workers: take a key from the work queue, reconcile its request, and requeue the key."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import perf_counter

from atmpl.controller.cluster import Cluster
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import EventType, Outcome, Postponed, Rendered, Requeue, Result
from atmpl.controller.reconcile import reconcile
from atmpl.controller.request import Request
from atmpl.controller.status import is_reported
from atmpl.kube.event_recorder import EventRecorder
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.workqueue import Closed, WorkQueue
from atmpl.manager.metrics import Metrics
from atmpl.manager.rate_limit import RateLimiter

log = logging.getLogger("atmpl")

MAX_REMEMBERED_FAILURES = 10_000  # requests whose last logged failure is remembered
LEASE_WAIT_SECONDS = 1.0  # that a key waits after the lease expired, until the lease is renewed or lost


class WorkerPool:
    """The workers of one controller. Each call of `run` is one worker; they share the state."""

    def __init__(
        self,
        queue: WorkQueue[ObjectKey],
        requests: RequestStore,
        cluster: Cluster,
        metrics: Metrics,
        events: EventRecorder,
        *,
        policy_required: bool = True,
    ) -> None:
        self._queue = queue
        self._requests = requests
        self._cluster = cluster
        self._metrics = metrics
        self._events = events
        self._policy_required = policy_required
        self._rate_limiter = RateLimiter(asyncio.get_running_loop().time)
        self._logged_failures: dict[str, tuple[str, str]] = {}  # by uid: outcome and message

    async def run(self, holds_lease: Callable[[], bool]) -> None:
        """Work until the queue is closed. Without the lease, delay keys: a suspended process can have lost it."""
        while True:
            try:
                key = await self._queue.get()
            except Closed:
                return
            try:
                if holds_lease():
                    await self._process(key)
                else:
                    self._queue.add_after(key, LEASE_WAIT_SECONDS)
            except asyncio.CancelledError:
                self._queue.add(key)  # for the next worker
                raise
            except Exception:  # a bug that one request triggers must not stop the worker
                self._metrics.panicked()
                log.exception("reconcile failed", extra={"request": str(key)})
                self._queue.retry(key)
            finally:
                self._queue.done(key)

    async def _process(self, key: ObjectKey) -> None:
        """Reconcile the request of a key, except if it is deleted, awaits its own write or is rate limited."""
        request = self._requests.get(key)
        if request is None:
            self._queue.forget_and_cancel(key)
        elif self._requests.awaits_own_write(key):
            pass  # the store adds the key again when the stream shows the write
        elif (remaining := self._rate_limiter.remaining(request.uid)) > 0:
            self._queue.add_after(key, remaining)
        else:
            await self._reconcile(key, request)

    async def _reconcile(self, key: ObjectKey, request: Request) -> None:
        began = perf_counter()
        failures = self._queue.failures(key)
        outcome, policy_check = await reconcile(
            request,
            self._cluster,
            failures=failures,
            policy_required=self._policy_required,
            claim_large=partial(self._queue.claim_large, key),
        )
        seconds = perf_counter() - began
        self._metrics.reconciled(outcome, policy_check, seconds)
        self._rate_limiter.record(request.uid, outcome)
        self._requeue(key, outcome)
        if outcome.event is EventType.WARNING and not outcome.is_quiet(failures):
            self._events.record_failure(request, outcome.name, outcome.message)
        elif outcome.event is EventType.NORMAL:
            self._events.record_success(request)
        if isinstance(outcome, Rendered) and outcome.seconds:
            self._metrics.render_seconds.observe(outcome.seconds)
        level = logging.DEBUG if self._is_repeated(request, outcome) else _log_level(request, outcome)
        if log.isEnabledFor(level):
            log.log(level, outcome.name, extra=_log_fields(request, outcome, seconds))

    def _is_repeated(self, request: Request, outcome: Outcome) -> bool:
        """Return True if `outcome` is the failure that the last reconcile of the request had.

        The status cannot show it if the API server rejects the token, or the status write.
        """
        if outcome.result is not Result.ERROR:
            if not isinstance(outcome, Postponed):
                self._logged_failures.pop(request.uid, None)
            return False
        failure = outcome.name, outcome.message
        if self._logged_failures.get(request.uid) == failure:
            return True
        if len(self._logged_failures) >= MAX_REMEMBERED_FAILURES:  # also of deleted requests
            self._logged_failures.clear()
        self._logged_failures[request.uid] = failure
        return False

    def _requeue(self, key: ObjectKey, outcome: Outcome) -> None:
        match outcome.requeue:
            case Requeue.BACKOFF:
                self._queue.retry(key, outcome.retry_after)
            case Requeue.IMMEDIATE:
                self._queue.add(key)
            case Requeue.CONFLICT:
                self._queue.retry_conflict(key)
            case Requeue.FORGET:
                self._queue.forget(key)
                if outcome.requeue_after is not None:
                    self._queue.add_after(key, outcome.requeue_after)


def _log_level(request: Request, outcome: Outcome) -> int:
    """Return debug for outcomes that change nothing, warning for failures that are retried, otherwise info."""
    if isinstance(outcome, Rendered):
        is_news = outcome.written or request.status.reason != outcome.name
    else:
        is_news = not outcome.is_routine and not (outcome.message and is_reported(request, outcome))
    if not is_news:
        return logging.DEBUG
    return logging.WARNING if outcome.result is Result.ERROR else logging.INFO


def _log_fields(request: Request, outcome: Outcome, seconds: float) -> dict[str, object]:
    fields: dict[str, object] = {"request": str(request.key), "uid": request.uid, "ms": round(seconds * 1000, 1)}
    if request.spec:
        fields |= {"vm": str(request.spec.source), "template": str(request.template_key(request.spec))}
    if outcome.message:
        fields["why"] = outcome.message
    return fields
