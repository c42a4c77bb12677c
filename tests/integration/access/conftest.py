"""An API server of their own: these tests change its admission for all users."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.controller import service_account
from e2e.envtest import AUDIT_EVERY_CALL, Client, ControlPlane, Server
from e2e.envtest.crds import install_crds

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="session")
def guarded() -> Iterator[Server]:
    """A control plane with config/crd, config/rbac and config/policy as they stand.

    The plugin is on in OpenShift: only a user who may delete an object may change its ownerReferences.
    """
    with ControlPlane(apiserver_flags=["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"]) as server:
        server.kubectl("create", "namespace", "atmpl-system")
        install_crds(server)
        for part in ("rbac", "policy"):
            server.kubectl("apply", "--server-side", "-k", CONFIG / part)
        yield server


@pytest.fixture(scope="session")
def account(guarded: Server) -> Path:
    """A kubeconfig of the controller's ServiceAccount."""
    return service_account(guarded)


@pytest.fixture
async def admin(guarded: Server) -> AsyncIterator[Client]:
    """The administrator of it."""
    async with guarded.client() as client:
        yield client


@pytest.fixture(scope="session")
def audited() -> Iterator[ControlPlane]:
    """A control plane that writes down every call. It streams no lists, so that they are read in pages."""
    with ControlPlane(audit=AUDIT_EVERY_CALL, apiserver_flags=["--feature-gates=WatchList=false"]) as server:
        install_crds(server)
        server.kubectl("apply", "--server-side", "-k", CONFIG / "policy")
        yield server
