"""How often one request may be judged in earnest, whoever wakes it.

A VM under OnChange may be edited a hundred times a second, a template that is kept in step be fought over, a request
that fails be woken long before its backoff is over. The queue makes one of all wakes that come while a request waits
or is worked on; this makes one of all that come within a second, or before the server wants to be asked again.
"""

from collections.abc import Callable
from typing import assert_never

from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Outcome,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    SourceGone,
    UpToDate,
)

INTERVAL = 1.0  # seconds between two judgements of a request that cost calls
FEW = 64  # requests: not worth a sweep


class RateLimiter:
    """Knows of each request that was judged a moment ago when it may be judged again.

    By its uid: one that is made anew under the same name does not wait for what was said about the other.
    """

    def __init__(self, now: Callable[[], float], interval: float = INTERVAL) -> None:
        self._now = now
        self._interval = interval
        self._until: dict[str, float] = {}  # by uid
        self._sweep_at = FEW  # at this size all that is past is forgotten: at most half of it is, on average

    def __len__(self) -> int:
        return len(self._until)

    def judged(self, uid: str, outcome: Outcome) -> None:
        """Take note of what a request has just been judged to be."""
        if not _costs(outcome):
            return
        after = outcome.after if isinstance(outcome, Retry) else None
        self._until[uid] = self._now() + max(self._interval, after or 0.0)
        if len(self._until) >= self._sweep_at:
            now = self._now()
            self._until = {uid: until for uid, until in self._until.items() if until > now}
            self._sweep_at = max(FEW, 2 * len(self._until))

    def left(self, uid: str) -> float:
        """Return for how many seconds a request is to be left alone; 0 where it need not be."""
        return max(self._until.get(uid, 0.0) - self._now(), 0.0)


def _costs(outcome: Outcome) -> bool:
    """Whether a judgement has cost calls, and whoever wakes its request may make it cost as much again."""
    match outcome:
        case Blocked(reason=Reason.SOURCE_NOT_FOUND) | SourceGone():
            return False  # the VM may come at any moment, and is not to wait
        case Rendered(digest=digest):
            return bool(digest)  # under Once it is done for good
        case UpToDate(again=again):
            return again is not None  # it has looked at what is in the way
        case Blocked() | Rejected() | Retry() | Detached():
            return True
        case Conflict() | RequestGone():
            return False
        case _:
            assert_never(outcome)
