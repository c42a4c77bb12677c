"""What ends a run without a report."""


class FailedError(Exception):
    """Something failed, so that the figures would say nothing. The message names it."""
