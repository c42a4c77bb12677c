"""Credentials that are kept, and looked up again before they can have ended."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from atmpl.kube.auth import APIEndpoint, CredentialsError

log = logging.getLogger(__name__)

REFRESH_INTERVAL_SECONDS = 60.0  # seconds; a token is rotated or renewed minutes before the old one ends
RETRY_INTERVAL_SECONDS = 5.0  # after a refresh that failed, or credentials that the server refused
MAX_REFRESH_WAIT_SECONDS = (
    1.0  # seconds that a call waits for a look while it could do with what is there: a plugin may take a minute
)


class CachedCredentials(ABC):
    """Credentials that are looked up again once a minute, and as soon as the server has refused them (401).

    One look at a time, in a task of its own: whoever comes meanwhile gets what it finds, a failure too, and whoever
    gives up waiting does not end it. Where a look fails, what was found before stays in use until the server refuses
    it: a file is just being replaced, or a plugin's own server away.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._access: APIEndpoint | None = None  # what was found last
        self._refused = False  # whether the server has refused it
        self._failed = ""  # why there is nothing to use
        self._looked_at = 0.0  # when the last look ended
        self._look_at: float | None = None  # when to look again; None: nobody has looked yet
        self._looking: asyncio.Task[None] | None = None

    async def endpoint(self) -> APIEndpoint:
        """Return the access. Raises AccessError."""
        if self._looking is None and (self._look_at is None or self._now() >= self._look_at):
            self._looking = asyncio.create_task(self._look_again(), name="credentials")
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=MAX_REFRESH_WAIT_SECONDS if self._is_usable else None)
        if self._access is None or self._refused:
            raise CredentialsError(self._failed)
        return self._access

    async def invalidate(self, refused: APIEndpoint) -> None:
        """Take note that the server does not know who comes with `refused`: look anew, unless that was done since."""
        if self._is_usable and _who(refused) == _who(self._access):
            self._refused = True
            self._failed = "the API server does not know us (401), and nothing newer has been found yet"
            self._look_at = self._looked_at + RETRY_INTERVAL_SECONDS

    @property
    def _is_usable(self) -> bool:
        return self._access is not None and not self._refused

    async def _look_again(self) -> None:
        try:
            self._access = await self._fetch(refused=self._refused)
            self._refused, self._failed = False, ""
            self._look_at = self._now() + REFRESH_INTERVAL_SECONDS
        except Exception as error:
            self._look_at = self._now() + RETRY_INTERVAL_SECONDS
            self._failed = str(error)
            if not isinstance(
                error, CredentialsError
            ):  # a bug of ours; or the system has no thread left to read a file
                log.exception("credentials not found out")
                self._failed = f"credentials cannot be found out ({type(error).__name__})"
            if self._is_usable:
                log.warning("credentials not renewed; the old ones stay in use", extra={"why": self._failed})
        finally:
            self._looked_at = self._now()
            self._looking = None

    @abstractmethod
    async def _fetch(self, *, refused: bool) -> APIEndpoint:
        """Find out the access; where the last one was `refused`, from its very source. Raises AccessError."""


def _who(access: APIEndpoint | None) -> object:
    """Return what tells the server who we are; whom it is to judge us as is another matter."""
    return access and (access.headers.get("Authorization"), access.tls)
