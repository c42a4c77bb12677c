"""The API servers of the tests: fixtures for the tiers that need one, imported by their conftest.py."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from e2e.controller import Controller, service_account
from e2e.envtest import BuildError, ControlPlane, ProcessError, Server
from e2e.envtest.crds import install_crds
from e2e.envtest.existing_cluster import CONTEXT, ExistingCluster, WrongClusterError
from e2e.fixtures import client, namespace
from tests.support.audit_rights import AUDIT_IT, forbidden

__all__ = ["client", "controller", "namespace", "private_server", "server", "undisturbed"]


@contextmanager
def _clear_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show a build's progress, and report a missing program without a traceback."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    try:
        with capture.global_and_fixture_disabled():
            yield
    except (BuildError, ProcessError, WrongClusterError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return the shared API server: a control plane, or the cluster that ATMPL_E2E_CONTEXT names.

    At the end, the control plane's audit log must not show a call for which the controller had no permission.
    """
    with ExitStack() as stack:
        with _clear_errors(request):
            running = stack.enter_context(
                ExistingCluster() if os.environ.get(CONTEXT) else ControlPlane(audit=AUDIT_IT)
            )
            install_crds(running)
        yield running
        if isinstance(running, ControlPlane):
            assert forbidden(running.audit_events()) == []


@pytest.fixture(scope="session")
def controller(server: Server) -> Iterator[Controller]:
    """Return the shared controller. At the end, it must have printed log lines only, and no error."""
    with Controller(
        service_account(server), python=("-X", "dev"), module="e2e.blocking_check", env={"PYTHONWARNINGS": "error"}
    ) as running:
        yield running
    assert running.process.returncode == 0
    assert running.noise == []
    assert [line for line in running.lines if line["level"] in {"error", "critical"}] == []


@pytest.fixture(scope="session")
def undisturbed(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return a shared control plane without a controller."""
    with ExitStack() as stack:
        with _clear_errors(request):
            running = stack.enter_context(ControlPlane())
            install_crds(running)
        yield running


@pytest.fixture
def private_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., ControlPlane]]:
    """Return a function that starts a control plane for this test only, with ControlPlane's arguments.

    It blocks for seconds: use `asyncio.to_thread` if the test has running tasks.
    """
    with ExitStack() as stack:

        def start(*, crds: bool = True, **options: Any) -> ControlPlane:
            with _clear_errors(request):
                running = stack.enter_context(ControlPlane(**options))
                if crds:
                    install_crds(running)
                return running

        yield start
