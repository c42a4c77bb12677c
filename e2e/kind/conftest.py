"""The cluster that ATMPL_E2E_CONTEXT names; without, the tests are skipped."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from e2e.controlplane import Client
from e2e.controlplane.crds import install_crds
from e2e.controlplane.persons_cluster import CONTEXT, PersonsCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[PersonsCluster]:
    """Return the cluster, with a stand-in for OpenShift's templates where it serves none."""
    if not os.environ.get(CONTEXT):
        pytest.skip(f"{CONTEXT} does not say which cluster: `just kind` makes one")
    with PersonsCluster() as running:
        install_crds(running)
        yield running


@pytest.fixture
async def client(cluster: PersonsCluster) -> AsyncIterator[Client]:
    """Return the administrator at the API."""
    async with cluster.client() as administrator:
        yield administrator


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    """Return a fresh namespace; its end is begun, not awaited."""
    made = await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}})
    name: str = made["metadata"]["name"]
    yield name
    await client.delete(f"/api/v1/namespaces/{name}")
