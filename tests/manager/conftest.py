"""A controller beside the API server of the test run, under its own role."""

from collections.abc import Iterator

import pytest

from e2e.controller import Controller, service_account
from e2e.controlplane import Server


@pytest.fixture(scope="session")
def controller(server: Server) -> Iterator[Controller]:
    """One controller a test run; it has printed nothing but log lines when it ends, and no error among them."""
    with Controller(service_account(server), python=("-X", "dev"), env={"PYTHONWARNINGS": "error"}) as running:
        yield running
    assert running.process.returncode == 0
    assert running.noise == []
    assert [line for line in running.lines if line["level"] in {"error", "critical"}] == []
