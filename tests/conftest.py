"""What all tests share: the check for calls that block an event loop, and how pytest-xdist distributes the tests."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from e2e.blocking_check import refused
from e2e.envtest import BuildError, programs

TESTS = Path(__file__).parent
# Seconds per test by tier, on a busy machine too; `pytest.mark.timeout` sets another limit. A hung test prints where.
LIMITS = {"system": 240, "integration": 120, "simulation": 60, "unit": 60}
TIERS = [*LIMITS]  # for pytest-xdist: the slowest tests first, so that workers end together


@pytest.fixture(scope="session")
def blocking_calls() -> Iterator[list[str]]:
    with refused() as met:
        yield met


@pytest.fixture(autouse=True)
def nothing_blocks(blocking_calls: list[str]) -> Iterator[None]:
    """Fail a test in which atmpl blocks an event loop, also if the error was handled as another failure."""
    blocking_calls.clear()
    yield
    assert blocking_calls == []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Limit each test. For pytest-xdist, order tests by tier, and keep tests that share a server in one worker."""
    for item in items:
        if item.get_closest_marker("timeout") is None and item.config.getoption("timeout", None) is None:
            item.add_marker(pytest.mark.timeout(LIMITS[_tier(item)]))
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: TIERS.index(_tier(item)))
        for item in items:
            if group := _group(item):
                item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs before the tests: the first build takes minutes, more than a test's time limit."""
    if any(_tier(item) in {"integration", "system"} for item in session.items):
        with suppress(BuildError):  # the fixtures report it
            programs.find()


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def _group(item: pytest.Item) -> str | None:
    """Return the name of the group: tests of one group run in one worker. None: the test can run in any."""
    parts = item.path.relative_to(TESTS).parts
    if parts[0] in {"unit", "simulation"}:
        return None
    if parts[:2] == ("integration", "access"):  # they share two servers
        return "access"
    if {"undisturbed", "api"} & {*getattr(item, "fixturenames", ())}:
        return "undisturbed"
    return "/".join(parts)
