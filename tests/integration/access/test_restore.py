"""Requests and templates that a backup restores, as config/README.md describes it for Velero."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.controller import Controller
from e2e.envtest import ApiError, Client, Server
from e2e.objects import is_ready, namespace, reason
from tests.integration.access.policy import outlast_the_grace, put_in_force, serves_requesters
from tests.integration.access.rbac_helpers import GET_VMS, MAKE, REQUEST_RIGHTS, await_admission, may
from tests.support.builders import Object, request, request_path, template_path, vm
from tests.support.manifests import CONFIG

PAGE = (CONFIG / "README.md").read_text()
BLOCKS = [yaml.safe_load(it) for it in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
REQUESTER = {"username": "alice", "groups": ["system:authenticated"]}
UID = "ssp.kubevirt.io/request-uid"


@pytest.fixture
async def home(guarded: Server, admin: Client) -> AsyncIterator[str]:
    """A namespace in which alice and velero may request templates of its VM, with the policy in force."""
    created = await admin.create(namespace("") | {"metadata": {"generateName": "restore-"}})
    name: str = created["metadata"]["name"]
    for user in ("alice", "velero"):
        for item in may(user, user, [REQUEST_RIGHTS, *MAKE.values(), GET_VMS], name):
            await admin.create(item)
    await put_in_force(admin)
    await outlast_the_grace(admin)
    async with guarded.client("alice") as alice:
        await await_admission(alice, collection(name), request(name, "probe"), refused=False)
    yield name
    await admin.delete(f"/api/v1/namespaces/{name}")


def collection(name: str) -> str:
    return request_path(name, "").rstrip("/")


def backup(stored: Object, **changes: Any) -> Object:
    """Return an object as Velero restores it: without status, uid and versions."""
    kept = {
        key: stored["metadata"][key]
        for key in ("name", "namespace", "labels", "annotations")
        if key in stored["metadata"]
    }
    return {key: value for key, value in stored.items() if key != "status"} | {"metadata": kept, **changes}


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def modified(obj: Object) -> Object:
    """Apply the resource modifier of config/README.md."""
    [rules] = [block["resourceModifierRules"] for block in BLOCKS if "resourceModifierRules" in block]
    [rule] = rules
    assert rule["conditions"] == {"groupResource": "virtualmachinetemplaterequests.ssp.kubevirt.io"}
    [patch] = rule["mergePatches"]
    result: Object = merged(obj, yaml.safe_load(patch["patchData"]))
    return result


async def test_restored_request_needs_the_modifier(home: str, guarded: Server, account: Path, admin: Client) -> None:
    await admin.create(vm(home))
    async with guarded.client("alice") as alice, guarded.client("velero") as velero:
        stored = backup(await alice.create(request(home, requester=REQUESTER)))
        await alice.delete(request_path(home))
        with pytest.raises(ApiError, match=r"spec.requester is not the user who creates the request"):
            await velero.create(stored)
        restored = await velero.create(modified(stored))
    assert restored["spec"] == {key: value for key, value in stored["spec"].items() if key != "requester"}
    with Controller(account, "--policy=Required"):
        await admin.until(request_path(home), is_ready)


async def test_restorer_becomes_the_requester(home: str, guarded: Server, admin: Client) -> None:
    if not await serves_requesters(admin):
        pytest.skip("config/requester needs Kubernetes 1.36")
    await asyncio.to_thread(guarded.kubectl, "apply", "-k", CONFIG / "requester")
    try:
        async with guarded.client("velero") as velero:
            stored = request(home, requester=REQUESTER)
            await await_admission(velero, collection(home), stored, refused=False)
            restored = await velero.create(stored, dryRun="All")
        assert restored["spec"]["requester"]["username"] == "velero"
    finally:
        await asyncio.to_thread(guarded.kubectl, "delete", "-k", CONFIG / "requester")


EDITED = {"parameters": []}


@pytest.mark.parametrize("first", ["template", "request"])
async def test_edited_template_is_kept_if_restored_first(
    first: str, home: str, guarded: Server, account: Path, admin: Client
) -> None:
    """A template that appears after its request counts as another replica's, and is made equal to the rendering."""
    posted = request(home)
    with Controller(account, "--policy=Required"):
        source = await admin.create(vm(home))
        await admin.create(posted)
        await admin.until(request_path(home), is_ready)
        await admin.patch(template_path(home), EDITED)
        template = backup(await admin.get(template_path(home)))
        for path in (request_path(home), template_path(home), await admin.path(source)):
            await admin.delete(path)
        if first == "template":
            await admin.create(template)
            await admin.create(posted)
            await admin.until(request_path(home), lambda it: reason(it) == "SourceNotFound")
        else:
            await admin.create(posted)
            await admin.until(request_path(home), lambda it: reason(it) == "SourceNotFound")
            await asyncio.sleep(1.1)  # creationTimestamp has a resolution of one second
            await admin.create(template)
        await admin.create(vm(home))
        await admin.until(request_path(home), lambda it: reason(it) in {"TargetConflict", "Rendered"})
        found = await admin.get(request_path(home))
        restored = await admin.get(template_path(home))
    assert reason(found) == {"template": "TargetConflict", "request": "Rendered"}[first]
    assert (restored["parameters"] == []) is (first == "template")
    assert (restored["metadata"]["labels"][UID] == found["metadata"]["uid"]) is (first == "request")
