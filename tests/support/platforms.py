"""What a test needs and Windows does not have."""

import sys

import pytest

WINDOWS = sys.platform == "win32"


def needs_posix(what: str) -> None:
    """Skip the running test on Windows."""
    if WINDOWS:
        pytest.skip(f"needs {what}, which Windows does not have")


def posix(what: str) -> pytest.MarkDecorator:
    """Return the mark of a test that is skipped on Windows."""
    return pytest.mark.skipif(WINDOWS, reason=f"needs {what}, which Windows does not have")
