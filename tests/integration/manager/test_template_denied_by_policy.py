"""A cluster's own admission policies also check templates, and config/README.md describes how that looks."""

import asyncio

import pytest

from e2e.envtest import ApiError, Client
from e2e.objects import condition, is_ready, reason
from tests.support.builders import Object, request, request_path, template_path, vm

pytestmark = pytest.mark.usefixtures("controller")

ADMISSION = "admissionregistration.k8s.io/v1"
POLICIES = f"/apis/{ADMISSION}/validatingadmissionpolicies"
BINDINGS = f"/apis/{ADMISSION}/validatingadmissionpolicybindings"


async def _refuse(client: Client, namespace: str, name: str) -> None:
    """Have the server admit no template in the namespace; return once it does not."""
    rule = {
        "apiGroups": ["template.openshift.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["templates"],
    }
    policy = {
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        },
        "validations": [{"expression": "false", "message": "no templates on Fridays"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
        await client.create({"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
    probe = {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {"name": "probe", "namespace": namespace},
        "objects": [],
    }
    with pytest.raises(ApiError, match="Fridays"):
        await asyncio.wait_for(_again_and_again(client, probe), 30)


async def _again_and_again(client: Client, body: Object) -> None:
    while True:  # the server takes note of a policy a moment later
        await client.create(body, dryRun="All")
        await asyncio.sleep(0.1)


async def test_denial_by_another_policy_is_retried(client: Client, namespace: str) -> None:
    name = f"refuse-{namespace}"
    await _refuse(client, namespace, name)
    try:
        await client.create(vm(namespace))
        await client.create(request(namespace))
        found = await client.until(request_path(namespace), lambda it: reason(it) == "Failed")
        assert name in condition(found)["message"]
        assert "Fridays" not in condition(found)["message"]  # a policy's own text can quote a secret
        assert condition(found, "Stalled") == {}
    finally:
        for place in (BINDINGS, POLICIES):
            await client.delete(f"{place}/{name}")
    await client.until(request_path(namespace), is_ready)
    assert await client.get(template_path(namespace)) is not None
