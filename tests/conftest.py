"""What all tests share: the check for calls that block an event loop, and how pytest-xdist distributes the tests."""

import gc
import signal
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from e2e.blocking_check import refused
from e2e.envtest import BuildError, programs
from tests.support.platforms import WINDOWS

TESTS = Path(__file__).parent
# Seconds per test by tier, on a busy machine too; `pytest.mark.timeout` sets another limit. A hung test prints where.
LIMITS = {"system": 240, "integration": 120, "simulation": 120, "unit": 60}
# For pytest-xdist: the longest group first, then the tests with the longest limits, so that workers end together.
ORDER = ["access", *LIMITS]
SHARED = {"server", "own_server", "own", "cluster", "wheel"}  # expensive fixtures that the tests of a file share
NOT_ON_WINDOWS = {  # folder of unit tests: why
    "e2e": "the developers' programs run on Linux and macOS",
    "manager": "the controller runs on Linux and macOS",
}


def pytest_configure() -> None:
    """Let tests interrupt their programs: a shell lets a process that it starts with `&` ignore SIGINT, and its children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Use more workers than cores: tests often wait for a process, and some for a lease or a backoff."""
    cores = yield
    return cores + cores // 2


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Limit each test. For pytest-xdist, order tests by tier, and keep tests that share a server in one worker."""
    for item in items:
        if WINDOWS and (reason := NOT_ON_WINDOWS.get(item.path.parent.name)):
            item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("timeout") is None and item.config.getoption("timeout", None) is None:
            item.add_marker(pytest.mark.timeout(LIMITS[_tier(item)]))
    if hasattr(config, "workerinput"):
        groups = {item: _group(item) for item in items}
        items.sort(key=lambda item: (ORDER.index("access" if groups[item] == "access" else _tier(item)), -_limit(item)))
        for item in items:
            if group := groups[item]:
                item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs before the tests: the first build takes minutes, more than a test's time limit."""
    gc.collect()
    gc.freeze()  # thousands of tests and their modules stay until the end: no collection needs to look at them
    if session.config.getoption("loadgroup", default=False):  # in a worker: a group is the end of a test's id
        grouped = [each for each in session.items if each.get_closest_marker("xdist_group")]
        assert all("@" in each.nodeid for each in grouped), "pytest-xdist ignores groups: pip install -e '.[dev]'"
    if any(_tier(item) in {"integration", "system"} for item in session.items):
        with suppress(BuildError):  # the fixtures report it
            programs.find()


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def _limit(item: pytest.Item) -> float:
    """Return a test's limit in seconds; 0 if an option sets it for all tests."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def _group(item: pytest.Item) -> str | None:
    """Return the name of the group: tests of one group run in one worker. None: the test can run in any."""
    parts = item.path.relative_to(TESTS).parts
    fixtures = {*getattr(item, "fixturenames", ())}
    if parts[0] != "integration" and not fixtures & SHARED:
        return None
    if parts[:2] == ("integration", "access") and "guarded" in fixtures:
        return "access"
    if {"undisturbed", "api"} & fixtures:
        return "undisturbed"
    return "/".join(parts)
