"""pytest fixtures for tests on a cluster; each suite's conftest.py defines `server`."""

from collections.abc import AsyncIterator

import pytest

from e2e.envtest import Client, Server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """Return the administrator's client."""
    async with server.client() as administrator:
        yield administrator


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    """Return a new namespace per test. Its deletion is not awaited."""
    made = await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}})
    name: str = made["metadata"]["name"]
    yield name
    await client.delete(f"/api/v1/namespaces/{name}")
