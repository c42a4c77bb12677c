"""The controller checks the policy and its binding as a real API server stores them, through real changes."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from atmpl.controller.admission_policy import SPECS, V1
from atmpl.controller.authorization import PolicyCheck, check_policy
from atmpl.controller.cluster import PolicyObjects
from e2e.envtest import Client
from tests.integration.access.policy import BINDING, POLICY, SHIPPED, found, put_in_force, remove, settled

LATER = "2999-01-01T00:00:00Z"  # of a request that is created long after everything
NARROW = {"namespaceSelector": {"matchLabels": {"checked": "yes"}}}


@pytest.fixture(autouse=True)
async def made_anew(admin: Client) -> AsyncIterator[None]:
    """Each test begins and ends with the policy and the binding as they are shipped, and never changed."""
    await remove(admin, POLICY, BINDING)
    await put_in_force(admin)
    yield
    await put_in_force(admin)


async def verdict(admin: Client, created: str = LATER) -> PolicyCheck:
    return check_policy(created, {V1: PolicyObjects(await found(admin, POLICY), await found(admin, BINDING))})


def just_after(time: str) -> str:
    """Within the grace period: a request that was created then is possibly not checked."""
    return (datetime.fromisoformat(time) + timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_shipped_policy_is_in_force(admin: Client) -> None:
    policy = await settled(admin)
    assert policy["spec"] == SPECS[V1]
    assert "expressionWarnings" not in policy["status"].get("typeChecking", {})
    assert await verdict(admin) is PolicyCheck.IN_FORCE


async def test_request_of_the_first_ten_seconds_is_earlier(admin: Client) -> None:
    created = (await admin.get(BINDING))["metadata"]["creationTimestamp"]
    assert await verdict(admin, just_after(created)) is PolicyCheck.REQUEST_EARLIER


async def test_second_apply_changes_nothing(admin: Client) -> None:
    for path, shipped in SHIPPED.items():
        before = await admin.get(path)
        await admin.apply(shipped)
        assert (await admin.get(path))["metadata"]["generation"] == before["metadata"]["generation"]
    assert await verdict(admin) is PolicyCheck.IN_FORCE


CHANGES: dict[
    str, tuple[str, dict[str, Any], PolicyCheck]
] = {  # what is changed, by which merge patch, and the verdict
    "the binding audits only": (BINDING, {"validationActions": ["Audit"]}, PolicyCheck.BINDING_NOT_DENY),
    "the binding audits too": (BINDING, {"validationActions": ["Deny", "Audit"]}, PolicyCheck.BINDING_NOT_DENY),
    "the binding selects namespaces": (BINDING, {"matchResources": NARROW}, PolicyCheck.BINDING_NARROWED),
    "the binding has parameters": (
        BINDING,
        {"paramRef": {"name": "x", "parameterNotFoundAction": "Allow"}},
        PolicyCheck.BINDING_NARROWED,
    ),
    "the policy fails open": (POLICY, {"failurePolicy": "Ignore"}, PolicyCheck.POLICY_DIFFERS),
    "the policy has a condition": (
        POLICY,
        {"matchConditions": [{"name": "x", "expression": "false"}]},
        PolicyCheck.POLICY_DIFFERS,
    ),
    "the policy has parameters": (
        POLICY,
        {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}},
        PolicyCheck.POLICY_DIFFERS,
    ),
    "the policy validates nothing": (POLICY, {"validations": [{"expression": "true"}]}, PolicyCheck.POLICY_DIFFERS),
}


@pytest.mark.parametrize(("path", "spec", "expected"), CHANGES.values(), ids=CHANGES)
async def test_each_change_is_detected(path: str, spec: dict[str, Any], expected: PolicyCheck, admin: Client) -> None:
    await admin.patch(path, {"spec": spec})
    assert await verdict(admin) is expected


# Each leaves the object as it is shipped, by a write that managedFields do not always show.
REMOVED: dict[str, dict[str, Any]] = {
    "matchResources": NARROW,
    "paramRef": {"name": "x", "parameterNotFoundAction": "Allow"},
}


@pytest.mark.parametrize("field", REMOVED)
async def test_edited_binding_never_counts_at_creation_again(field: str, admin: Client) -> None:
    before = await admin.get(BINDING)
    await admin.patch(BINDING, {"spec": {field: REMOVED[field]}}, fieldManager="another")
    await admin.patch(BINDING, [{"op": "remove", "path": f"/spec/{field}"}], "json")
    after = await admin.get(BINDING)
    # All but the generation is as if nothing had been.
    assert after["spec"] == before["spec"]
    assert after["metadata"]["managedFields"] == before["metadata"]["managedFields"]
    assert await verdict(admin) is PolicyCheck.BINDING_CHANGED


async def test_edited_policy_never_counts_at_creation_again(admin: Client) -> None:
    before = await admin.get(POLICY)
    excludes_all = {"matchConditions": [{"name": "x", "expression": "false"}]}
    await admin.patch(POLICY, {"spec": excludes_all}, fieldManager="other")
    assert await verdict(admin) is PolicyCheck.POLICY_DIFFERS
    await admin.patch(POLICY, [{"op": "remove", "path": "/spec/matchConditions"}], "json")
    after = await admin.get(POLICY)
    assert after["spec"] == before["spec"]
    assert await verdict(admin) is PolicyCheck.POLICY_CHANGED


@pytest.mark.parametrize(
    ("gone", "expected"), [(POLICY, PolicyCheck.POLICY_ABSENT), (BINDING, PolicyCheck.BINDING_ABSENT)]
)
async def test_policy_and_binding_are_both_required(gone: str, expected: PolicyCheck, admin: Client) -> None:
    await admin.delete(gone)
    assert await verdict(admin) is expected
