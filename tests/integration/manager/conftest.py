"""Tests of the manager leave no task and no socket behind."""

import pytest

from tests.support.leak_check import nothing_leaks

__all__ = ["nothing_leaks"]

STALE_EDITS = 240  # by default; 3,000 take minutes


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stale-edits", type=int, default=STALE_EDITS, help="edits in the tests of stale reads (3000)")


@pytest.fixture
def stale_edits(request: pytest.FixtureRequest) -> int:
    """The number of edits that are each followed by a request."""
    return int(request.config.getoption("--stale-edits", default=STALE_EDITS))
