"""What ends a run without a report."""

import aiohttp

from e2e.controlplane import ApiError, BuildError, ProcessError


class FailedError(Exception):
    """Something failed, so that the figures would say nothing. The message names it."""


FAILURES = (FailedError, BuildError, ProcessError, ApiError, aiohttp.ClientError, TimeoutError)
