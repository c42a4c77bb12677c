"""The cluster that ATMPL_E2E_CONTEXT names; without, the tests are skipped."""

import os
from collections.abc import Iterator

import pytest

from e2e.envtest.crds import install_crds
from e2e.envtest.existing_cluster import CONTEXT, ExistingCluster
from e2e.fixtures import client, namespace  # noqa: F401 - on `server`, for every test


@pytest.fixture(scope="session")
def server() -> Iterator[ExistingCluster]:
    """Return the cluster, with a stand-in for OpenShift's templates where it serves none."""
    if not os.environ.get(CONTEXT):
        pytest.skip(f"{CONTEXT} does not name a cluster: `just kind` makes one")
    with ExistingCluster() as running:
        install_crds(running)
        yield running
