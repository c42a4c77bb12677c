"""Limit the rate of reconciles of one request.

A VM under OnChange can be edited a hundred times a second, a refreshed template can be edited by another controller, a
failing request can get events before its backoff ends. The queue merges the events of a request that waits; this
limiter merges those of one second, and those before the server's Retry-After.
"""

from collections.abc import Callable

from atmpl.controller.outcome import Outcome

INTERVAL_SECONDS = 1.0  # between two reconciles of a request that make calls
MIN_SWEEP_SIZE = 64  # requests: fewer are not worth a sweep


class RateLimiter:
    """Knows when each recently reconciled request may be reconciled again.

    The key is the uid: a request that was created again under the same name does not wait.
    """

    def __init__(self, now: Callable[[], float], interval: float = INTERVAL_SECONDS) -> None:
        self._now = now
        self._interval = interval
        self._until: dict[str, float] = {}  # by uid
        self._sweep_at = MIN_SWEEP_SIZE  # the size at which expired entries are removed

    def __len__(self) -> int:
        return len(self._until)

    def record(self, uid: str, outcome: Outcome) -> None:
        """Record the outcome of a reconcile."""
        if not outcome.is_rate_limited:
            return
        self._until[uid] = self._now() + max(self._interval, outcome.retry_after or 0.0)
        if len(self._until) >= self._sweep_at:
            now = self._now()
            self._until = {uid: until for uid, until in self._until.items() if until > now}
            self._sweep_at = max(MIN_SWEEP_SIZE, 2 * len(self._until))

    def remaining(self, uid: str) -> float:
        """Return the seconds until the request may be reconciled again; 0 if it may now."""
        return max(self._until.get(uid, 0.0) - self._now(), 0.0)
