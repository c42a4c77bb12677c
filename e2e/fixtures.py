"""pytest fixtures for tests on a cluster; each suite's conftest.py defines `server`."""

from collections.abc import AsyncIterator

import pytest

from e2e.envtest import Client, ControlPlane, Server
from e2e.objects import requests


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """Return the administrator's client."""
    async with server.client() as administrator:
        yield administrator


@pytest.fixture
async def namespace(server: Server, client: Client) -> AsyncIterator[str]:
    """Return a new namespace per test."""
    made = await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}})
    name: str = made["metadata"]["name"]
    yield name
    await discard(server, client, name)


async def discard(server: Server, client: Client, namespace: str) -> None:
    """Delete a namespace, without awaiting it.

    On a control plane of these tests, only its requests: a deleted namespace costs 80 calls, or 0.1 s of CPU.
    """
    await client.delete(requests(namespace) if isinstance(server, ControlPlane) else f"/api/v1/namespaces/{namespace}")
