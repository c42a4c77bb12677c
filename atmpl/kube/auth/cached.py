"""Credentials that are cached, and refreshed before they can expire."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from atmpl.kube.auth import APIEndpoint, CredentialsError
from atmpl.kube.failure_log import FailureLog

log = logging.getLogger(__name__)

REFRESH_INTERVAL_SECONDS: Final = 60.0  # tokens are rotated minutes before the old one expires
RETRY_INTERVAL_SECONDS: Final = 5.0  # after a refresh that failed, or credentials that the server rejected
MAX_REFRESH_WAIT_SECONDS: Final = 1.0  # of a call that has usable credentials: a plugin can take a minute


class CachedCredentials(ABC):
    """Credentials that are refreshed once a minute, and as soon as the server has rejected them (401).

    One refresh runs at a time, in a task of its own. All callers get its result, also its failure; cancelling a caller
    does not cancel the refresh. If a refresh fails, the previous credentials stay in use until the server rejects them:
    a file can be in the middle of a replacement, a plugin's server unavailable.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failure_log = FailureLog(log, "credentials refresh", now=now)
        self._current: APIEndpoint | None = None  # the result of the last refresh that succeeded
        self._is_refused = False  # the server has rejected it
        self._problem = ""  # why there are no usable credentials
        self._refreshed_at = 0.0  # when the last refresh ended
        self._refresh_at: float | None = None  # when the next one starts; None before the first
        self._refresh: asyncio.Task[None] | None = None

    async def endpoint(self) -> APIEndpoint:
        """Return the endpoint.

        Raises:
            CredentialsError: there are no usable credentials.
        """
        if self._refresh is None and (self._refresh_at is None or self._now() >= self._refresh_at):
            self._refresh = asyncio.create_task(self._run_refresh(), name="credentials")
        if self._refresh is not None:
            await asyncio.wait({self._refresh}, timeout=MAX_REFRESH_WAIT_SECONDS if self._is_usable else None)
        if self._current is None or self._is_refused:
            raise CredentialsError(self._problem)
        return self._current

    async def invalidate(self, rejected: APIEndpoint) -> None:
        """Mark the credentials as rejected (401). Has no effect if they were refreshed since `rejected`."""
        if self._is_usable and _identity(rejected) == _identity(self._current):
            self._is_refused = True
            self._problem = "the API server rejected the credentials (401), and there are no newer ones yet"
            self._refresh_at = self._refreshed_at + RETRY_INTERVAL_SECONDS

    @property
    def _is_usable(self) -> bool:
        return self._current is not None and not self._is_refused

    async def _run_refresh(self) -> None:
        try:
            self._current = await self._fetch(rejected=self._is_refused)
            self._is_refused, self._problem = False, ""
            self._refresh_at = self._now() + REFRESH_INTERVAL_SECONDS
            self._failure_log.recovered({})
        except Exception as error:
            self._refresh_at = self._now() + RETRY_INTERVAL_SECONDS
            self._problem = str(error)
            if not isinstance(error, CredentialsError):  # a bug of ours, or no thread is left to read a file
                log.exception("credentials refresh failed")
                self._problem = f"credentials cannot be loaded ({type(error).__name__})"
            if self._is_usable:
                self._failure_log.failed({"why": self._problem, "in_use": "the old credentials"})
        finally:
            self._refreshed_at = self._now()
            self._refresh = None

    @abstractmethod
    async def _fetch(self, *, rejected: bool) -> APIEndpoint:
        """Load the credentials; if the last ones were `rejected`, from their origin.

        Raises:
            CredentialsError: they cannot be loaded.
        """


def _identity(endpoint: APIEndpoint | None) -> object:
    """Return what authenticates us; impersonation does not."""
    return endpoint and (endpoint.headers.get("Authorization"), endpoint.tls)
