"""How often one request may be judged in earnest, whoever wakes it.

A VM under OnChange may be edited a hundred times a second, a template that is kept in step be fought over, a request
that fails be woken long before its backoff is over. The queue makes one of all wakes that come while a request waits
or is worked on; this makes one of all that come within a second, or before the server wants to be asked again.
"""

from collections.abc import Callable

from atmpl.controller.key import Key

INTERVAL = 1.0  # seconds between two judgements of a request that cost calls
FEW = 64  # requests: not worth a sweep


class Pace:
    """Knows of each request that was judged a moment ago when it may be judged again."""

    def __init__(self, now: Callable[[], float], interval: float = INTERVAL) -> None:
        self._now = now
        self._interval = interval
        self._until: dict[Key, float] = {}
        self._sweep_at = FEW  # at this size all that is past is forgotten: at most half of it is, on average

    def __len__(self) -> int:
        return len(self._until)

    def judged(self, key: Key, after: float | None = None) -> None:
        """Take note that a request has just been judged; `after`: the server's Retry-After, in seconds."""
        self._until[key] = self._now() + max(self._interval, after or 0.0)
        if len(self._until) >= self._sweep_at:
            now = self._now()
            self._until = {key: until for key, until in self._until.items() if until > now}
            self._sweep_at = max(FEW, 2 * len(self._until))

    def left(self, key: Key) -> float:
        """Return for how many seconds a request is to be left alone; 0 where it need not be."""
        return max(self._until.get(key, 0.0) - self._now(), 0.0)
