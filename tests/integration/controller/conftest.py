"""The two API servers of the contract tests: the fake one in memory and a real one."""

from collections.abc import AsyncIterator
from random import Random

import orjson
import pytest

from atmpl.kube.auth.kubeconfig import Kubeconfig
from atmpl.kube.client import KubeClient
from tests.support.api_under_test import ClusterClient, InMemory, OnServer
from tests.support.fake_apiserver import ApiServer
from tests.support.resources import Object


@pytest.fixture(params=["memory", "server"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[ClusterClient]:
    if request.param == "memory":
        server = ApiServer()
        server.terminating.add("dying")
        server.missing.add("nowhere")
        yield ClusterClient(InMemory(server), "team-a")
        return
    real = request.getfixturevalue("undisturbed")
    async with KubeClient(Kubeconfig(str(real.kubeconfig))) as connection:
        namespace = f"contract-{Random().getrandbits(40):x}"
        for name in (namespace, "dying"):
            headers = {"Content-Type": "application/json"}
            await connection.call("POST", "/api/v1/namespaces", body=orjson.dumps(_namespace(name)), headers=headers)
        await connection.call("DELETE", "/api/v1/namespaces/dying")
        yield ClusterClient(OnServer(connection, namespace), namespace)
        await connection.call("DELETE", f"/api/v1/namespaces/{namespace}")


def _namespace(name: str) -> Object:
    finalizers = {"finalizers": ["atmpl.example/never"]} if name == "dying" else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **finalizers}}
