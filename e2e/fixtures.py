"""pytest's fixtures for whoever tries things on a cluster: each suite's conftest.py says which one, as `server`."""

from collections.abc import AsyncIterator

import pytest

from e2e.envtest import Client, Server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """Return the administrator at the API."""
    async with server.client() as administrator:
        yield administrator


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    """Return a fresh namespace a test; its end is begun, not awaited."""
    made = await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}})
    name: str = made["metadata"]["name"]
    yield name
    await client.delete(f"/api/v1/namespaces/{name}")
