"""The rate limit of one request."""

import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
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
from atmpl.manager.rate_limit import RateLimiter

REFRESHED = Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="d", written=True)
A, B = "uid-a", "uid-b"


class Clock:
    """A clock that a test sets."""

    time = 100.0

    def __call__(self) -> float:
        return self.time


def test_request_is_limited_for_a_second() -> None:
    clock = Clock()
    limiter = RateLimiter(clock, interval=1.0)
    assert limiter.remaining(A) == 0.0
    limiter.record(A, REFRESHED)
    clock.time = 100.25
    assert (limiter.remaining(A), limiter.remaining(B)) == (0.75, 0.0)
    clock.time = 101.0
    assert limiter.remaining(A) == 0.0


def test_second_reconcile_restarts_the_limit() -> None:
    clock = Clock()
    limiter = RateLimiter(clock, interval=1.0)
    limiter.record(A, REFRESHED)
    limiter.record(B, REFRESHED)
    clock.time = 100.5
    limiter.record(A, REFRESHED)
    clock.time = 101.25
    assert (limiter.remaining(A), limiter.remaining(B)) == (0.25, 0.0)


def test_retry_after_extends_the_limit() -> None:
    clock = Clock()
    limiter = RateLimiter(clock, interval=1.0)
    limiter.record(A, Retry(Reason.FAILED, "", 7.0))
    limiter.record(B, Retry(Reason.FAILED, "", 0.5))
    assert (limiter.remaining(A), limiter.remaining(B)) == (7.0, 1.0)


def test_old_entries_are_removed() -> None:
    clock = Clock()
    limiter = RateLimiter(clock, interval=1.0)
    for number in range(10_000):
        limiter.record(str(number), REFRESHED)
        clock.time += 0.125
        assert len(limiter) <= 64


COSTS: dict[str, tuple[Outcome, bool]] = {
    "refreshed": (REFRESHED, True),
    "finished": (Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="", written=True), False),
    "detached": (Detached(), True),
    "source not found": (Blocked(Reason.SOURCE_NOT_FOUND, ""), False),
    "source gone": (SourceGone(ObjectKey("team-a", "vm")), False),
    "target conflict": (Blocked(Reason.TARGET_CONFLICT, "", requeue_after=60.0), True),
    "target conflict, checked again": (UpToDate(requeue_after=60.0), True),
    "up to date": (UpToDate(), False),
    "rejected": (Rejected(Reason.INVALID_SOURCE, ""), True),
    "failed": (Retry(Reason.FAILED, ""), True),
    "conflict": (Conflict("request"), False),
    "postponed": (Postponed(), False),
    "request deleted": (RequestGone(requeue_after=60.0), False),
}


@pytest.mark.parametrize("case", COSTS)
def test_only_expensive_outcomes_are_limited(case: str) -> None:
    outcome, costs = COSTS[case]
    limiter = RateLimiter(Clock())
    limiter.record(A, outcome)
    assert limiter.remaining(A) == (1.0 if costs else 0.0)
