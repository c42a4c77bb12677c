"""The fake lease API and the API server give the same responses to the same calls."""

from typing import Any

import orjson
import pytest

from atmpl.kube.leader_election import NAME
from e2e.envtest import ApiError, Client
from e2e.envtest.client import PATCHES
from tests.support.lease_api import LeaseApi

Body = dict[str, Any]
Step = tuple[str, str, str, int]  # manager, patch, holder, answer


SCENARIOS: dict[str, list[Step]] = {
    "one of two creates a lease": [("a", "apply", "one", 200), ("b", "apply", "two", 409)],
    "an owner can create it again": [("a", "apply", "one", 200), ("a", "apply", "one", 200)],
    "a missing lease is not renewed": [("a", "merge", "one", 404)],
    "a renewed lease cannot be created": [
        ("a", "apply", "one", 200),
        ("c", "merge", "one", 200),
        ("b", "apply", "two", 409),
        ("a", "apply", "one", 409),
    ],
    "a released and acquired lease cannot be created": [
        ("a", "apply", "one", 200),
        ("c", "merge", "", 200),
        ("b", "apply", "two", 409),
        ("c", "merge", "three", 200),
        ("b", "apply", "two", 409),
    ],
    "an emptied lease has no owner": [
        ("a", "apply", "one", 200),
        ("c", "empty", "", 200),
        ("b", "apply", "two", 200),
        ("a", "apply", "one", 409),
    ],
    "a deleted lease can be created": [
        ("a", "apply", "one", 200),
        ("c", "delete", "", 200),
        ("b", "apply", "two", 200),
        ("c", "merge", "two", 200),
    ],
}


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_fake_lease_api_equals_the_api_server(scenario: str, client: Client, namespace: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
    api = LeaseApi()
    for number, (manager, patch, holder, code) in enumerate(SCENARIOS[scenario]):
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "renewTime": f"2030-01-01T00:00:0{number}.000000Z",  # different each time
        }
        assert _in_memory(api, manager, patch, spec) == code
        assert await _on_the_server(client, path, manager, patch, spec) == code
        there = await client.get(path) if code != 404 and patch != "delete" else {}
        assert there.get("spec") == api.spec


def _in_memory(api: LeaseApi, manager: str, patch: str, spec: Body) -> int:
    if patch in {"empty", "delete"}:
        api.write({} if patch == "empty" else None)
        return 200
    read = api.handle("GET", {}, {}, None)
    version = read.json()["metadata"]["resourceVersion"] if read.ok else "1"
    body = orjson.dumps({"metadata": {"resourceVersion": version}, "spec": spec})
    return api.handle("PATCH", {"fieldManager": manager}, {"Content-Type": PATCHES[patch]}, body).status


async def _on_the_server(client: Client, path: str, manager: str, patch: str, spec: Body) -> int:
    try:
        match patch:
            case "delete":
                await client.delete(path)
            case "empty":
                await client.patch(path, {"spec": None})
            case "merge":
                version = (await client.get(path))["metadata"]["resourceVersion"]
                body = {"metadata": {"resourceVersion": version}, "spec": spec}
                await client.patch(path, body, fieldManager=manager)
            case "apply":
                lease = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": NAME},
                    "spec": spec,
                }
                await client.patch(path, lease, "apply", fieldManager=manager, force="false")
    except ApiError as error:
        return error.status
    return 200
