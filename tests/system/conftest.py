"""Tests with API servers of their own: they leave no task and no socket behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.controller import service_account
from e2e.envtest import ControlPlane
from e2e.envtest.crds import install_crds
from tests.support.leak_check import nothing_leaks
from tests.support.servers import client, controller, namespace, private_server, server, undisturbed

__all__ = ["client", "controller", "namespace", "nothing_leaks", "private_server", "server", "undisturbed"]


@pytest.fixture(scope="module")
def own_server() -> Iterator[ControlPlane]:
    """Return a control plane that the tests of one file share. They may suspend it."""
    with ControlPlane(controllers=()) as server:
        install_crds(server)
        yield server


@pytest.fixture(scope="module")
def kubeconfig(own_server: ControlPlane) -> Path:
    """Return the controller's kubeconfig for it."""
    return service_account(own_server)
