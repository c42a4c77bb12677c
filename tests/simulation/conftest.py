"""The option `--every`: all faults, pairs of faults and suspensions instead of a selection."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every", action="store_true", help="all faults and suspensions instead of a selection (minutes)")


@pytest.fixture
def every(request: pytest.FixtureRequest) -> bool:
    """Return True if all faults and suspensions are tried."""
    return bool(request.config.getoption("--every", default=False))
