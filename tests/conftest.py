"""The one way to a real API server: `server` for nearly everything, `private_server` for those who hurt it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from e2e.blocking import refused
from e2e.controller import Controller, service_account
from e2e.controlplane import BuildError, ControlPlane, ProcessError, Server
from e2e.controlplane.crds import install_crds
from e2e.controlplane.persons_cluster import CONTEXT, PersonsCluster, WrongClusterError
from e2e.fixtures import client, namespace  # noqa: F401 - on `server`, for every test
from tests.support.audit_rights import AUDIT_IT, forbidden

MARKERS = {
    "server": "apiserver",
    "undisturbed": "private",
    "private_server": "private",
}  # fixture: the marker of whoever uses it


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


@pytest.fixture(scope="session")
def blocking_calls() -> Iterator[list[str]]:
    with refused() as met:
        yield met


@pytest.fixture(autouse=True)
def nothing_blocks(blocking_calls: list[str]) -> Iterator[None]:
    """No test makes atmpl block an event loop, not even where the refusal is taken for some other failure."""
    blocking_calls.clear()
    yield
    assert blocking_calls == []


@contextmanager
def _clear_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a build be watched, and a missing program fail a test by a sentence instead of a traceback."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    try:
        with capture.global_and_fixture_disabled():
            yield
    except (BuildError, ProcessError, WrongClusterError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One control plane a test run, started when the first test asks for it; a person's cluster where they name it.

    In all that the tests made the controller do, it lacked no right: of our own control plane, the audit log says so.
    """
    with ExitStack() as stack:
        with _clear_errors(request):
            running = stack.enter_context(PersonsCluster() if os.environ.get(CONTEXT) else ControlPlane(audit=AUDIT_IT))
            install_crds(running)
        yield running
        if isinstance(running, ControlPlane):
            assert forbidden(running.audit_events()) == []


@pytest.fixture(scope="session")
def controller(server: Server) -> Iterator[Controller]:
    """One controller a test run; it has printed nothing but log lines when it ends, and no error among them."""
    with Controller(
        service_account(server), python=("-X", "dev"), module="e2e.blocking", env={"PYTHONWARNINGS": "error"}
    ) as running:
        yield running
    assert running.process.returncode == 0
    assert running.noise == []
    assert [line for line in running.lines if line["level"] in {"error", "critical"}] == []


@pytest.fixture(scope="session")
def undisturbed(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One control plane a test run that has no controller, for whoever writes the controller's part themselves."""
    with ExitStack() as stack:
        with _clear_errors(request):
            running = stack.enter_context(ControlPlane())
            install_crds(running)
        yield running


@pytest.fixture
def private_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., ControlPlane]]:
    """Start a control plane of the test's own, with ControlPlane's arguments; gone when the test ends.

    It blocks for some seconds: where tasks of the test's are running, start it by `asyncio.to_thread`.
    """
    with ExitStack() as stack:

        def start(*, crds: bool = True, **options: Any) -> ControlPlane:
            with _clear_errors(request):
                running = stack.enter_context(ControlPlane(**options))
                if crds:
                    install_crds(running)
                return running

        yield start
