"""How often one request may be judged."""

import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
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
from atmpl.manager.rate_limit import RateLimiter

KEPT = Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="d", written=True)
A, B = "uid-a", "uid-b"


class Clock:
    """A clock that a test sets."""

    time = 100.0

    def __call__(self) -> float:
        return self.time


def test_request_is_limited_for_a_second() -> None:
    clock = Clock()
    pace = RateLimiter(clock, interval=1.0)
    assert pace.remaining(A) == 0.0
    pace.record(A, KEPT)
    clock.time = 100.25
    assert (pace.remaining(A), pace.remaining(B)) == (0.75, 0.0)
    clock.time = 101.0
    assert pace.remaining(A) == 0.0


def test_second_reconcile_restarts_the_limit() -> None:
    clock = Clock()
    pace = RateLimiter(clock, interval=1.0)
    pace.record(A, KEPT)
    pace.record(B, KEPT)
    clock.time = 100.5
    pace.record(A, KEPT)
    clock.time = 101.25
    assert (pace.remaining(A), pace.remaining(B)) == (0.25, 0.0)


def test_retry_after_extends_the_limit() -> None:
    clock = Clock()
    pace = RateLimiter(clock, interval=1.0)
    pace.record(A, Retry(Reason.FAILED, "", 7.0))
    pace.record(B, Retry(Reason.FAILED, "", 0.5))
    assert (pace.remaining(A), pace.remaining(B)) == (7.0, 1.0)


def test_old_entries_are_removed() -> None:
    clock = Clock()
    pace = RateLimiter(clock, interval=1.0)
    for number in range(10_000):
        pace.record(str(number), KEPT)
        clock.time += 0.125
        assert len(pace) <= 64


COSTS: dict[str, tuple[Outcome, bool]] = {
    "kept in step": (KEPT, True),
    "done for good": (Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="", written=True), False),
    "let go": (Detached(), True),
    "without its VM, which may come at any moment": (Blocked(Reason.SOURCE_NOT_FOUND, ""), False),
    "without its VM, which may come back": (SourceGone(ObjectKey("team-a", "vm")), False),
    "with a name that is taken": (Blocked(Reason.TARGET_CONFLICT, "", requeue_after=60.0), True),
    "with a name that is still taken": (UpToDate(requeue_after=60.0), True),
    "in step already": (UpToDate(), False),
    "refused until its VM changes": (Rejected(Reason.INVALID_SOURCE, ""), True),
    "failed": (Retry(Reason.FAILED, ""), True),
    "to be judged anew at once": (Conflict("request"), False),
    "gone": (RequestGone(requeue_after=60.0), False),
}


@pytest.mark.parametrize("sentence", COSTS)
def test_only_expensive_outcomes_are_limited(sentence: str) -> None:
    outcome, costs = COSTS[sentence]
    pace = RateLimiter(Clock())
    pace.record(A, outcome)
    assert pace.remaining(A) == (1.0 if costs else 0.0)
