"""Whatever a test does here, it leaves nothing behind; and a control plane for a whole file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.controller import service_account
from e2e.controlplane import ControlPlane
from e2e.controlplane.crds import install_crds
from tests.support.leak_check import nothing_leaks

__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def own_server() -> Iterator[ControlPlane]:
    """A control plane that the tests of one file share: they may stop it, and let it go on. Each starts seconds sooner."""
    with ControlPlane(controllers=()) as server:
        install_crds(server)
        yield server


@pytest.fixture(scope="module")
def kubeconfig(own_server: ControlPlane) -> Path:
    """The controller's own kubeconfig there."""
    return service_account(own_server)
