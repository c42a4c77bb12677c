"""Attacks of users on the controller, performed on a real API server as impersonated users.

The intervals between access checks are short here (e2e/chaos/fast_timers.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from atmpl.controller.admission_policy import V1
from e2e.controller import Controller
from e2e.envtest import Client, Server
from tests.integration.access.policy import (
    BINDING,
    POLICY,
    await_latest_admission,
    outlast_the_grace,
    put_in_force,
    remove,
    serves_requesters,
)
from tests.integration.access.rbac_helpers import GET_VMS, MAKE, RBAC, REQUEST_RIGHTS, await_admission, is_refused, may

CONFIG = Path(__file__).parents[3] / "config"
GROUP = "/apis/ssp.kubevirt.io/v1alpha1"
VM, TEMPLATE = "fedora", "golden"
UID, NAME = "ssp.kubevirt.io/request-uid", "ssp.kubevirt.io/request"
STATUS = {"apiGroups": ["ssp.kubevirt.io"], "resources": ["virtualmachinetemplaterequests/status"], "verbs": ["patch"]}


def vm(namespace: str, marker: str) -> dict[str, Any]:
    seed = {"name": "seed", "cloudInitNoCloud": {"userData": marker}}
    spec = {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}, "volumes": [seed]}}}
    metadata = {"name": VM, "namespace": namespace}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec}


def request(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    source = {"vmName": VM, "vmNamespace": namespace}
    return {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": name},
        "spec": {"source": source, "target": {"openshiftTemplate": {"name": TEMPLATE}}} | spec,
    }


def condition(found: dict[str, Any] | None, type: str = "Ready") -> dict[str, Any]:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == type), {})


def has_reason(reason: str) -> Callable[[dict[str, Any] | None], bool]:
    return lambda found: condition(found).get("reason") == reason


class Scene:
    """Alice's namespace with requests, another one with a VM, and the paths of both."""

    def __init__(self, server: Server, account: Path, admin: Client, home: str, away: str) -> None:
        self.server, self.account, self.admin, self.home, self.away = server, account, admin, home, away
        self.requests = f"{GROUP}/namespaces/{home}/virtualmachinetemplaterequests"
        self.template = f"/apis/template.openshift.io/v1/namespaces/{home}/templates/{TEMPLATE}"
        self.vms = f"/apis/kubevirt.io/v1/namespaces/{away}/virtualmachines"

    async def grant(self, user: str, rules: list[dict[str, Any]], namespace: str) -> None:
        for item in may(user, user, rules, namespace):
            await self.admin.create(item)

    async def revoke(self, user: str, namespace: str) -> None:
        await self.admin.delete(f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings/{user}")

    async def until(self, name: str, reason: str) -> dict[str, Any]:
        found = await self.admin.until(f"{self.requests}/{name}", has_reason(reason))
        assert found is not None
        return found

    async def text(self) -> str:
        """Return the template as text; empty if it does not exist."""
        templates = (await self.admin.get(self.template.rpartition("/")[0]))["items"]
        return "".join(orjson.dumps(each).decode() for each in templates if each["metadata"]["name"] == TEMPLATE)


@pytest.fixture
async def scene(guarded: Server, account: Path, admin: Client) -> AsyncIterator[Scene]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "attack-"}}
    home, away = [(await admin.create(namespace))["metadata"]["name"] for _ in range(2)]
    scene = Scene(guarded, account, admin, home, away)
    await scene.grant("alice", [REQUEST_RIGHTS, *MAKE.values()], home)
    await scene.grant("alice", [GET_VMS], away)
    yield scene
    for name in (home, away):
        await admin.delete(f"/api/v1/namespaces/{name}")


@asynccontextmanager
async def running(scene: Scene, policy: str = "Required") -> AsyncIterator[Controller]:
    """Run the controller with short intervals."""
    controller = Controller(scene.account, f"--policy={policy}", module="e2e.chaos.fast_timers")
    await asyncio.to_thread(controller.__enter__)
    try:
        yield controller
    finally:
        await asyncio.to_thread(controller.stop)


@pytest.fixture
async def in_force(scene: Scene) -> None:
    await put_in_force(scene.admin)
    await outlast_the_grace(scene.admin)


@pytest.fixture
async def recorded(scene: Scene, in_force: None) -> AsyncIterator[None]:
    """The cluster records the requester of each request."""
    served = await scene.admin.get("/apis/admissionregistration.k8s.io/v1")
    if "mutatingadmissionpolicies" not in {each["name"] for each in served["resources"]}:
        pytest.skip("this Kubernetes has no MutatingAdmissionPolicy v1")
    server = scene.server
    if not await serves_requesters(scene.admin):
        pytest.skip("config/requester needs Kubernetes 1.36")
    await asyncio.to_thread(server.kubectl, "apply", "-k", CONFIG / "requester")
    await until_recorded(scene, True)
    yield
    await asyncio.to_thread(server.kubectl, "delete", "-k", CONFIG / "requester")
    await until_recorded(scene, False)


async def until_recorded(scene: Scene, recorded: bool) -> None:
    """Wait until the API server records requesters, or no longer does: a change takes about a second."""
    async with asyncio.timeout(30):
        while True:
            probe = await scene.admin.post(scene.requests, request("probe", scene.away), dryRun="All")
            if ("requester" in probe["spec"]) is recorded:
                return
            await asyncio.sleep(0.05)


async def test_forged_status_gives_no_access(scene: Scene) -> None:
    """The policy was absent, and a user who can write statuses forges the condition that version 0.1 trusted."""
    await remove(scene.admin, BINDING, POLICY)
    await await_latest_admission(scene.admin)
    await scene.grant("mallory", [REQUEST_RIGHTS, *MAKE.values(), STATUS], scene.home)
    await scene.admin.create(vm(scene.away, "the secret"))
    async with scene.server.client("mallory") as mallory:
        await await_admission(mallory, scene.requests, request("mine", scene.away), refused=False)
        await mallory.post(scene.requests, request("mine", scene.away))
        async with running(scene):
            await scene.until("mine", "CrossNamespaceDenied")
            forged = {
                "observedGeneration": 1,
                "conditions": [
                    {
                        "type": kind,
                        "status": "True",
                        "reason": "PolicyInForce",
                        "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }
                    for kind in ("Authorized", "Ready")
                ],
            }
            await mallory.patch(f"{scene.requests}/mine/status", {"status": forged})
            await put_in_force(scene.admin)
            found = await scene.until("mine", "CrossNamespaceDenied")
    assert condition(found, "Authorized") == {}
    assert await scene.text() == ""


async def test_policy_missing_serves_no_vm_of_the_own_namespace(scene: Scene) -> None:
    await remove(scene.admin, BINDING, POLICY)
    await await_latest_admission(scene.admin)
    await scene.grant("mallory", [REQUEST_RIGHTS, *MAKE.values()], scene.home)
    await scene.admin.create(vm(scene.home, "the secret"))
    async with scene.server.client("mallory") as mallory:
        await await_admission(mallory, scene.requests, request("mine", scene.home), refused=False)
        await mallory.post(scene.requests, request("mine", scene.home))
    async with running(scene):
        found = await scene.until("mine", "PolicyMissing")
        assert condition(found, "Stalled")["status"] == "True"
        assert await scene.text() == ""
    async with running(scene, "Optional"):
        await scene.until("mine", "Rendered")


async def test_requester_is_recorded_over_a_forged_value(scene: Scene, recorded: None) -> None:
    forged = {"username": "admin", "groups": ["system:masters"]}
    expected = {"username": "alice", "groups": ["system:authenticated"]}
    async with scene.server.client("alice") as alice:
        posted = await alice.post(scene.requests, request("mine", scene.away, requester=forged))
        assert posted["spec"]["requester"] == expected
        manifest = request("mine", scene.away)
        replaced = await alice.put(
            f"{scene.requests}/mine", manifest | {"metadata": posted["metadata"]}
        )  # as kubectl replace
        assert replaced["spec"]["requester"] == expected


async def test_revoked_right_stops_a_late_vm(scene: Scene, recorded: None) -> None:
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away))
    async with running(scene):
        await scene.until("mine", "SourceNotFound")
        await scene.revoke("alice", scene.away)
        await asyncio.sleep(2)  # the check at creation counts for 1 s here
        await scene.admin.create(vm(scene.away, "the secret"))
        found = await scene.until("mine", "AccessRevoked")
        assert condition(found, "Stalled")["status"] == "True"
        assert await scene.text() == ""
        for item in may("alice", "alice-again", [GET_VMS], scene.away):
            await scene.admin.create(item)
        await scene.until("mine", "Rendered")


async def test_revoked_right_stops_the_refresh(scene: Scene, recorded: None) -> None:
    created = await scene.admin.create(vm(scene.away, "the first"))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away, refreshPolicy="OnChange"))
    async with running(scene):
        await scene.until("mine", "Rendered")
        await scene.revoke("alice", scene.away)
        await asyncio.sleep(2)
        await scene.admin.put(f"{scene.vms}/{VM}", created | {"spec": vm(scene.away, "the secret")["spec"]})
        await scene.until("mine", "AccessRevoked")
    text = await scene.text()
    assert ("the first" in text, "the secret" in text) == (True, False)


async def test_recreated_vm_is_another_vm(scene: Scene, in_force: None) -> None:
    """The namespace belongs to another tenant now, and the request does not record its requester."""
    await scene.admin.create(vm(scene.away, "the first"))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away, refreshPolicy="OnChange"))
    async with running(scene):
        found = await scene.until("mine", "Rendered")
        assert "AccessNotRechecked" in {each["reason"] for each in found["status"]["warnings"]}
        await scene.admin.delete(f"{scene.vms}/{VM}")
        await scene.admin.create(vm(scene.away, "the secret"))
        await scene.until("mine", "AccessRevoked")
    text = await scene.text()
    assert ("the first" in text, "the secret" in text) == (True, False)


async def test_edited_status_does_not_hide_a_recreated_vm(scene: Scene, in_force: None) -> None:
    """A user who may patch statuses removes the uid of the VM that was rendered before."""
    await scene.grant("mallory", [REQUEST_RIGHTS, *MAKE.values(), STATUS], scene.home)
    await scene.admin.create(vm(scene.away, "the first"))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away, refreshPolicy="OnChange"))
    async with running(scene):
        await scene.until("mine", "Rendered")
        await scene.admin.delete(f"{scene.vms}/{VM}")
        await asyncio.sleep(3)  # the check at creation counts for 1 s here
        async with scene.server.client("mallory") as mallory:
            await mallory.patch(f"{scene.requests}/mine/status", {"status": {"source": None}})
        await scene.admin.create(vm(scene.away, "the secret"))
        await scene.until("mine", "AccessRevoked")
    text = await scene.text()
    assert ("the first" in text, "the secret" in text) == (True, False)


async def test_late_vm_without_a_requester_is_not_rendered(scene: Scene, in_force: None) -> None:
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away))
    async with running(scene):
        await scene.until("mine", "SourceNotFound")
        await asyncio.sleep(3)  # the check at creation counts for 1 s here
        await scene.admin.create(vm(scene.away, "the secret"))
        await scene.until("mine", "AccessRevoked")
    assert await scene.text() == ""


async def test_deleted_policy_stops_the_refresh(scene: Scene, in_force: None) -> None:
    created = await scene.admin.create(vm(scene.away, "the first"))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away, refreshPolicy="OnChange"))
    async with running(scene):
        await scene.until("mine", "Rendered")
        await remove(scene.admin, BINDING)
        await scene.admin.put(f"{scene.vms}/{VM}", created | {"spec": vm(scene.away, "the second")["spec"]})
        await scene.until("mine", "CrossNamespaceDenied")
    assert "the second" not in await scene.text()


async def test_requests_of_a_gap_are_not_served_by_earlier_reads(scene: Scene, in_force: None) -> None:
    """A user posts all the time, and one request is admitted as soon as the binding is deleted.

    Requests of another user keep the controller reading the policy, which was in force until then.
    """
    unnamed = {"target": {"openshiftTemplate": {}}}
    await scene.grant("mallory", [REQUEST_RIGHTS, *MAKE.values()], scene.home)
    await scene.admin.create(vm(scene.away, "the secret"))
    async with scene.server.client("alice") as alice, scene.server.client("mallory") as mallory, running(scene):
        admitted: list[str] = []
        for number in range(1_000):
            await alice.post(scene.requests, request(f"alice-{number}", scene.away, **unnamed))
            if number == 20:
                await scene.until("alice-0", "Rendered")
                await scene.admin.delete(BINDING)
            if not await is_refused(mallory, scene.requests, request(f"mine-{number}", scene.away, **unnamed)):
                admitted.append(f"mine-{number}")
            if len(admitted) == 10:
                break
        for name in admitted:
            await scene.until(name, "CrossNamespaceDenied")
    templates = (await scene.admin.get(scene.template.rpartition("/")[0]))["items"]
    assert len(admitted) == 10
    assert {it["metadata"]["name"] for it in templates}.isdisjoint(admitted)


def forged_template(labels: dict[str, str], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    evil = vm("", "evil") | {"metadata": {"generateName": "evil-"}}
    metadata = {"name": TEMPLATE, "labels": labels, "annotations": annotations or {}}
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": metadata,
        "objects": [evil],
        "parameters": [],
    }


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_forged_label_does_not_make_a_request_ready(scene: Scene, in_force: None, policy: str) -> None:
    await scene.grant("mallory", [REQUEST_RIGHTS, *MAKE.values()], scene.home)
    async with scene.server.client("alice") as alice, scene.server.client("mallory") as mallory:
        requester = {"username": "alice", "groups": ["system:authenticated"]}  # the VM is created late
        manifest = request("mine", scene.away, refreshPolicy=policy, requester=requester)
        posted = await alice.post(scene.requests, manifest)
        async with running(scene):
            await scene.until("mine", "SourceNotFound")
            labels = {UID: posted["metadata"]["uid"]}
            collection = scene.template.rpartition("/")[0]
            assert not await is_refused(mallory, collection, forged_template(labels))
            await scene.admin.patch(f"{scene.requests}/mine", {"metadata": {"labels": {"touched": "yes"}}})
            await scene.admin.create(vm(scene.away, "the VM"))
            await scene.until("mine", "Rendered")
    text = await scene.text()
    assert ("evil" in text, "the VM" in text) == (False, True)


@pytest.mark.parametrize("field", ["ownerReferences", "finalizers", "deletionTimestamp"])
async def test_forged_template_is_not_deleted_after_its_adoption(scene: Scene, in_force: None, field: str) -> None:
    """Its author, who may not delete templates, binds it to an object of their own, or deleted it before."""
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "evil", "namespace": scene.home}}
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "evil"}
    await scene.grant("mallory", [REQUEST_RIGHTS, *MAKE.values()], scene.home)
    await scene.admin.create(vm(scene.away, "the VM"))
    async with scene.server.client("alice") as alice, scene.server.client("mallory") as mallory:
        posted = await alice.post(scene.requests, request("mine", scene.away))
        template = forged_template({UID: posted["metadata"]["uid"]})
        if field == "ownerReferences":
            uid = (await scene.admin.create(config_map))["metadata"]["uid"]
            template["metadata"]["ownerReferences"] = [owner | {"uid": uid}]
        else:
            template["metadata"]["finalizers"] = ["example.com/mine"]
        assert not await is_refused(mallory, scene.template.rpartition("/")[0], template)
        if field == "deletionTimestamp":
            await scene.admin.delete(scene.template)
        async with running(scene):
            found = await scene.until("mine", "TargetConflict")
            assert f"metadata.{field}" in condition(found)["message"]
            assert "the VM" not in await scene.text()
            if field == "ownerReferences":
                await scene.admin.delete(f"/api/v1/namespaces/{scene.home}/configmaps/evil")
            else:
                await scene.admin.patch(scene.template, {"metadata": {"finalizers": None}})
            await scene.until("mine", "Rendered")
            await scene.admin.until(scene.template, lambda it: it is not None and "the VM" in orjson.dumps(it).decode())
    text = await scene.text()
    assert ("evil" in text, "the VM" in text) == (False, True)


async def test_recreated_request_does_not_overwrite_its_template(scene: Scene, in_force: None) -> None:
    """Deleted and created again at once, with another content: timestamps have a resolution of one second."""
    created = await scene.admin.create(vm(scene.away, "the first"))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away))
        async with running(scene):
            await scene.until("mine", "Rendered")
            await scene.admin.put(f"{scene.vms}/{VM}", created | {"spec": vm(scene.away, "the second")["spec"]})
            await alice.delete(f"{scene.requests}/mine")
            await alice.post(scene.requests, request("mine", scene.away))
            await scene.until("mine", "TargetConflict")
            assert "the first" in await scene.text()


async def test_restored_request_continues_with_an_equal_template(scene: Scene, in_force: None) -> None:
    await scene.admin.create(vm(scene.away, "the first"))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away))
        async with running(scene):
            await scene.until("mine", "Rendered")
            await alice.delete(f"{scene.requests}/mine")
            again = await alice.post(scene.requests, request("mine", scene.away))
            await scene.until("mine", "Rendered")
    template = await scene.admin.get(scene.template)
    assert template["metadata"]["labels"][UID] == again["metadata"]["uid"]


async def test_foreign_annotation_does_not_reach_the_status(scene: Scene, in_force: None) -> None:
    text = "x\x1b[31m\x07\x9b\u202e"
    await scene.admin.create(vm(scene.away, "the first"))
    await scene.admin.post(scene.template.rpartition("/")[0], forged_template({UID: "other"}, {NAME: text}))
    async with scene.server.client("alice") as alice:
        await alice.post(scene.requests, request("mine", scene.away))
    async with running(scene) as controller:
        found = await scene.until("mine", "TargetConflict")
        lines = "".join(map(str, controller.lines))
    assert condition(found)["message"].isprintable()
    assert not any(c in lines for c in "\x1b\x07\x9b\u202e")
    shown = await asyncio.to_thread(scene.server.kubectl, "get", "vmtreq", "-A", "-o", "yaml")
    assert "TargetConflict" in shown


async def test_bindings_of_other_policies_do_not_count(scene: Scene) -> None:
    await remove(scene.admin, BINDING)
    await scene.admin.create(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": V1},
            "spec": {"policyName": "other", "validationActions": ["Deny"]},
        }
    )
    await scene.admin.create(vm(scene.home, "the secret"))
    async with scene.server.client("alice") as alice:
        await await_admission(alice, scene.requests, request("mine", scene.home), refused=False)
        await alice.post(scene.requests, request("mine", scene.home))
    async with running(scene):
        await scene.until("mine", "PolicyMissing")
