"""Who may request templates by the roles that a cluster has already, on the real API server."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from e2e.envtest import Client
from tests.integration.access.rbac_helpers import RBAC

REQUESTS = "virtualmachinetemplaterequests"
READ = {"get", "list", "watch"}
WRITE = {"create", "update", "patch", "delete", "deletecollection"}

ROLES: dict[str, dict[str, set[str]]] = {  # role: what it lets a user do to requests, and to their status
    "admin": {REQUESTS: READ | WRITE, f"{REQUESTS}/status": {"get"}},
    "edit": {REQUESTS: READ | WRITE, f"{REQUESTS}/status": {"get"}},
    "view": {REQUESTS: READ, f"{REQUESTS}/status": {"get"}},
}


def may_request(rule: dict[str, Any]) -> bool:
    return "ssp.kubevirt.io" in rule["apiGroups"]


async def may(client: Client, user: str, verb: str, resource: str) -> bool:
    name, _, subresource = resource.partition("/")
    what = {"group": "ssp.kubevirt.io", "resource": name, "subresource": subresource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {"user": user, "resourceAttributes": what | {"namespace": "default"}},
    }
    return bool((await client.create(review))["status"]["allowed"])


async def allowed(client: Client, user: str, resource: str) -> set[str]:
    return {verb for verb in READ | WRITE if await may(client, user, verb, resource)}


async def in_force(client: Client, role: str) -> None:
    """Wait until the server goes by the role and its binding: it learns of both by its own watches."""
    with suppress(TimeoutError):  # the test reports what it lacks
        async with asyncio.timeout(30):
            while not ROLES[role][REQUESTS] <= await allowed(client, f"the-{role}", REQUESTS):
                pass


@pytest.mark.parametrize("role", ROLES)
async def test_namespace_roles_include_requests(role: str, admin: Client) -> None:
    aggregated = f"/apis/{RBAC}/v1/clusterroles/{role}"
    await admin.until(aggregated, lambda found: any(may_request(rule) for rule in (found or {}).get("rules") or []))
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"generateName": f"{role}-", "namespace": "default"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": f"the-{role}"}],
    }
    await admin.create(binding)
    await in_force(admin, role)
    for resource, verbs in ROLES[role].items():
        assert await allowed(admin, f"the-{role}", resource) == verbs


async def test_users_without_a_role_have_no_rights(admin: Client) -> None:
    assert not any([await may(admin, "user-without-roles", verb, REQUESTS) for verb in READ | WRITE])
