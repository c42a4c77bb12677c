"""The admission policy and its binding on a server: put there as they are shipped, and changed."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from atmpl.controller.admission_policy import V1 as NAME
from e2e.envtest import ApiError, Client
from tests.integration.access.rbac_helpers import await_admission

CONFIG = Path(__file__).parents[3] / "config" / "policy"
GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICY = f"{GROUP}/validatingadmissionpolicies/{NAME}"
BINDING = f"{GROUP}/validatingadmissionpolicybindings/{NAME}"
SHIPPED: dict[str, dict[str, Any]] = {
    POLICY: yaml.safe_load((CONFIG / "policy-v1.yaml").read_text()),
    BINDING: yaml.safe_load((CONFIG / "binding-v1.yaml").read_text()),
}


async def found(admin: Client, path: str) -> dict[str, Any] | None:
    try:
        return await admin.get(path)
    except ApiError as error:
        if error.status != 404:
            raise
        return None


async def remove(admin: Client, *paths: str) -> None:
    for path in paths:
        if await found(admin, path) is not None:
            await admin.delete(path)


async def put_in_force(admin: Client) -> bool:
    """Leave both as they are shipped and never changed, and create them again if they are not. Return True then."""
    changed = False
    for path, shipped in SHIPPED.items():
        there = await found(admin, path)
        if there is None or there["metadata"]["generation"] != 1 or there["spec"] != shipped["spec"]:
            await remove(admin, path)
            await admin.create(shipped)
            changed = True
    return changed


async def outlast_the_grace(admin: Client) -> None:
    """Wait until a request that is created now counts as checked."""
    times = [(await admin.get(path))["metadata"]["creationTimestamp"] for path in SHIPPED]
    trusted = max(datetime.fromisoformat(time) for time in times) + timedelta(seconds=11)
    await asyncio.sleep(max(0.0, (trusted - datetime.now(UTC)).total_seconds()))


async def await_latest_admission(admin: Client) -> None:
    """Wait until the API server admits by all policies as they are now: it applies changes about a second later.

    One answer would not do: after several changes in a row it can be that of a state in between. All policies are
    applied together, so the one that is created here shows that earlier changes were applied too.
    """
    name = f"marker-{uuid4()}"
    kind = "ValidatingAdmissionPolicy"
    version, metadata = GROUP.removeprefix("/apis/"), {"name": name}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": f"object.metadata.name != '{name}'"}],
    }
    policy = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    bound = {"policyName": name, "validationActions": ["Deny"]}
    binding = {"apiVersion": version, "kind": f"{kind}Binding", "metadata": metadata, "spec": bound}
    marked = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    for marker in (policy, binding):
        await admin.create(marker)
    await await_admission(admin, "/api/v1/namespaces/default/configmaps", marked, refused=True)
    for marker in (binding, policy):
        await admin.delete(await admin.path(marker))


async def serves_requesters(admin: Client) -> bool:
    """Return True if the API server has MutatingAdmissionPolicy, so that config/requester can be applied."""
    found = (await admin.get(GROUP))["resources"]
    return any(each["name"] == "mutatingadmissionpolicies" for each in found)


async def settled(admin: Client) -> dict[str, Any]:
    """Return the policy once kube-controller-manager has looked at its last change."""

    def looked_at(policy: dict[str, Any] | None) -> bool:
        status = (policy or {}).get("status", {})
        return policy is not None and status.get("observedGeneration") == policy["metadata"]["generation"]

    policy = await admin.until(POLICY, looked_at)
    assert policy is not None
    return policy
