"""The API server with the project's own kinds in it."""

from pathlib import Path

import pytest

from e2e.controlplane import Server

CONFIG = Path(__file__).parents[2] / "config"
CRD = "crd/virtualmachinetemplaterequests.ssp.kubevirt.io"


@pytest.fixture(scope="session")
def requests_served(server: Server) -> None:
    """The server serves requests, by config/crd as it stands."""
    server.kubectl("apply", "--server-side", "--force-conflicts", "-k", CONFIG / "crd")
    server.kubectl("wait", "--for=condition=Established", "--timeout=30s", CRD)
