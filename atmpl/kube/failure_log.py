"""Log a failure when it begins and ends, and once a minute in between."""

import logging
from collections.abc import Callable
from typing import Final

REPEAT_SECONDS: Final = 60.0


class FailureLog:
    """The log of one activity that is retried until it succeeds."""

    def __init__(self, log: logging.Logger, subject: str, *, now: Callable[[], float]) -> None:
        self._log = log
        self._subject = subject  # for example "watch": "watch failed", "watch recovered"
        self._now = now
        self._logged_at: float | None = None  # None while the activity succeeds
        self._suppressed = 0

    def failed(self, fields: dict[str, object]) -> None:
        """Record a failure. Log the first one, then one per minute with the number of those in between."""
        now = self._now()
        if self._logged_at is not None and now - self._logged_at < REPEAT_SECONDS:
            self._suppressed += 1
            return
        if self._suppressed:
            fields = {**fields, "suppressed": self._suppressed}
        self._log.warning("%s failed", self._subject, extra=fields)
        self._logged_at, self._suppressed = now, 0

    def recovered(self, fields: dict[str, object]) -> None:
        """Record a success. Log it if it ends a failure."""
        if self._logged_at is not None:
            self._log.info("%s recovered", self._subject, extra=fields)
            self._logged_at, self._suppressed = None, 0
