"""The upgrade from an older version, with requests of all kinds.

Nothing was released yet. The older version is the state of the project before `requester`, `completionTime` and the
versioned policy: version_0_1/ has its CRD, and the VMs, requests and templates that its controller left on a real API
server. The test stores these objects again, and starts the current controller.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from atmpl.controller.vm_digest import digest_of
from e2e.controller import Controller, service_account
from e2e.envtest import ApiError, Client, ControlPlane
from e2e.objects import condition, is_ready, namespace, reason
from tests.support.audit_rights import AUDIT_IT, USER
from tests.support.builders import Object, request, request_path, template_path, vm, vm_path
from tests.support.manifests import CONFIG

RECORDED = Path(__file__).parent / "version_0_1"
CRD = CONFIG / "crd" / "virtualmachinetemplaterequests.ssp.kubevirt.io.yaml"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualmachinetemplaterequests.ssp.kubevirt.io"
UID, SOURCE_UID = "ssp.kubevirt.io/request-uid", "ssp.kubevirt.io/source-uid"
Place = tuple[str, str, str]  # kind, namespace, name

# What the current version reports. It writes the statuses of the others, because their messages or reasons changed.
UNCHANGED = ["flat", "native-once", "native-onchange", "once", "onchange", "onchange-gone", "options"]
UNCHANGED += ["x-once", "x-onchange", "conflict"]
WRITTEN = {
    "once-waiting": "SourceNotFound",
    "once-waiting-ttl": "SourceNotFound",
    "invalid": "InvalidSource",
    "x-waiting": "CrossNamespaceDenied",
}
EXPIRED = "ttl"  # its TTL passed long before the upgrade


def place(obj: Object) -> Place:
    return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]


def recorded() -> dict[Place, Object]:
    return {place(obj): obj for obj in yaml.safe_load_all((RECORDED / "objects.yaml").read_text())}


def source_of(posted: Object) -> Place:
    """Return the place of a request's VM."""
    spec, home = posted["spec"], posted["metadata"]["namespace"]
    source = spec.get("source", spec)
    return "VirtualMachine", source.get("vmNamespace", home), source["vmName"]


class Versions(NamedTuple):
    """The resourceVersions of templates and requests by name."""

    templates: dict[str, str]
    requests: dict[str, str]


async def restore(admin: Client) -> None:
    """Create the recorded objects. Uids and resourceVersions are the new ones, as the older version would have them."""
    created: dict[Place, Object] = {}
    by_uid: dict[str, Object] = {}  # recorded uid: the new object
    objects = recorded()
    requests = [obj for obj in objects.values() if "Request" in obj["kind"]]
    templates = [obj for obj in objects.values() if obj["kind"].endswith("Template")]
    vms = [obj for obj in objects.values() if obj["kind"] == "VirtualMachine"]
    for obj in [*vms, *requests, *templates]:
        metadata = {key: obj["metadata"][key] for key in ("name", "namespace")}
        for field in ("labels", "annotations"):
            if field in obj["metadata"]:
                metadata[field] = dict(obj["metadata"][field])
        for field, key in (("labels", UID), ("annotations", SOURCE_UID)):
            if (uid := metadata.get(field, {}).get(key)) in by_uid:
                metadata[field][key] = by_uid[uid]["metadata"]["uid"]
        posted = {key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata}
        created[place(obj)] = by_uid[obj["metadata"]["uid"]] = await admin.create(posted)
    for obj in requests:
        status = obj["status"]
        if "templateRef" in status:
            template = by_uid[status["templateRef"]["uid"]]["metadata"]
            status["templateRef"]["uid"] = template["uid"]
            if "rendered" in status:
                status["rendered"]["templateResourceVersion"] = template["resourceVersion"]
        if "source" in status and (source := created.get(source_of(obj))):
            status["source"] |= {key: source["metadata"][key] for key in ("uid", "resourceVersion", "generation")}
            if "rendered" in status:
                status["rendered"]["digest"] = digest_of(source)
        path = f"{await admin.path(obj)}/status"
        stored = await admin.put(path, created[place(obj)] | {"status": status}, fieldValidation="Strict")
        assert stored["status"] == status


async def versions(admin: Client) -> Versions:
    """Return the versions of what the controller may write."""
    paths = [template_path("home", "").rstrip("/"), "/apis/template.kubevirt.io/v1beta1/virtualmachinetemplates"]
    templates = [it for path in paths for it in (await admin.get(path))["items"]]
    requests = (await admin.get(request_path("home", "").rstrip("/")))["items"]
    found = [
        {it["metadata"]["name"]: it["metadata"]["resourceVersion"] for it in each} for each in (templates, requests)
    ]
    return Versions(*found)


async def served(admin: Client, path: str) -> None:
    """Wait until the server has a path."""
    async with asyncio.timeout(30):
        while True:
            try:
                await admin.get(path)
            except ApiError:
                await asyncio.sleep(0.05)
            else:
                return


async def until(admin: Client, name: str, expected: str) -> Object:
    found = await admin.until(request_path("home", name), lambda it: reason(it) == expected)
    assert found is not None
    return found


def test_digests_are_those_of_the_older_version() -> None:
    """Otherwise an upgrade would render the template of each VM again."""
    objects = recorded()
    digests = {
        place(it): it["status"]["rendered"]["digest"] for it in objects.values() if "rendered" in it.get("status", {})
    }
    for at, digest in digests.items():
        if at[2] != "onchange-gone":  # its VM is not recorded
            assert digest_of(objects[source_of(objects[at])]) == digest


def writes(server: ControlPlane) -> list[str]:
    """Return the controller's writes of objects: verb, resource and name."""
    return [
        f"{event['verb']} {event['objectRef']['resource']} {event['objectRef'].get('name', '')}"
        for event in server.audit_events()
        if event["user"]["username"] == USER
        and event["verb"] in {"create", "patch", "update", "delete"}
        and event["objectRef"]["resource"] not in {"events", "subjectaccessreviews"}
    ]


async def test_upgrade_keeps_templates_and_requests(private_server: Callable[..., ControlPlane]) -> None:
    server = await asyncio.to_thread(private_server, audit=AUDIT_IT)
    kubectl: Callable[..., Any] = server.kubectl
    async with server.client() as admin:
        await admin.delete(DEFINITION)
        await admin.until(DEFINITION, lambda found: found is None)
        await admin.create(yaml.safe_load((RECORDED / "crd.yaml").read_text()))
        for name in ("home", "away"):
            await admin.create(namespace(name))
        await served(admin, request_path("home", "").rstrip("/"))
        await restore(admin)
        before = await versions(admin)

        await asyncio.to_thread(kubectl, "apply", "--server-side", "--force-conflicts", "--filename", CRD)
        await asyncio.to_thread(kubectl, "apply", "--server-side", "-k", CONFIG / "policy")
        account = await asyncio.to_thread(service_account, server)
        controller = Controller(account, "--policy=Required")
        await asyncio.to_thread(controller.__enter__)
        try:
            for name, expected in WRITTEN.items():
                await admin.until(
                    request_path("home", name),
                    lambda it, expected=expected: reason(it) == expected and "name" in it["status"].get("source", {}),
                )
            await admin.until(request_path("home", EXPIRED), lambda it: it is None)
            await admin.create(request("home", "last", source="web"))
            await admin.until(request_path("home", "last"), is_ready)
            after = await versions(admin)
            assert {name: after.templates[name] for name in before.templates} == before.templates
            assert {name: after.requests[name] for name in UNCHANGED} == {
                name: before.requests[name] for name in UNCHANGED
            }
            assert after.requests.keys() == {*UNCHANGED, *WRITTEN, "last"}
            written = writes(server)
            requests = "virtualmachinetemplaterequests"
            assert sorted(written) == sorted(
                [
                    *(f"patch {requests} {name}" for name in [*WRITTEN, "last"]),
                    f"delete {requests} {EXPIRED}",
                    "create templates last",
                ]
            )
            await continues(admin)
        finally:
            await asyncio.to_thread(controller.stop)


async def test_older_crd_erases_unknown_fields_for_good(private_server: Callable[..., ControlPlane]) -> None:
    """Therefore the CRD is never rolled back, as config/README.md describes."""
    server = await asyncio.to_thread(private_server)
    metadata = {"templateMetadata": {"labels": {"team": "db"}}}
    note = {"metadata": {"annotations": {"note": "n"}}}
    async with server.client() as admin:
        await admin.create(namespace("home"))
        for name in ("written", "read"):
            await admin.create(request("home", name, **metadata))
        older = yaml.safe_load((RECORDED / "crd.yaml").read_text())
        current = await admin.get(DEFINITION)
        await admin.put(DEFINITION, current | {"spec": older["spec"]})
        await until_pruned(admin, pruned=True, **metadata)
        await admin.patch(request_path("home", "written"), note)
        definition = await admin.get(DEFINITION)
        await admin.put(DEFINITION, definition | {"spec": current["spec"]})
        await until_pruned(admin, pruned=False, **metadata)
        kept = {name: (await admin.get(request_path("home", name)))["spec"] for name in ("written", "read")}
    assert {name: "templateMetadata" in spec for name, spec in kept.items()} == {"written": False, "read": True}


async def until_pruned(admin: Client, *, pruned: bool, **spec: Any) -> None:
    """Wait until the API server drops, or keeps, fields of a request: a change of the CRD takes about a second."""
    async with asyncio.timeout(30):
        while True:
            probe = await admin.create(request("home", "probe", **spec), dryRun="All")
            if (spec.keys() <= probe["spec"].keys()) is not pruned:
                return
            await asyncio.sleep(0.05)


async def continues(admin: Client) -> None:
    """Let VMs appear and change: requests of the older version are served and refreshed."""
    await admin.create(vm("home", "late"))
    for name in ("once-waiting", "once-waiting-ttl"):
        found = await until(admin, name, "Rendered")
        assert "completionTime" in found["status"]
    await admin.patch(vm_path("home", "keep"), {"spec": {"runStrategy": "Always"}})
    await admin.until(template_path("home", "onchange"), lambda it: it["objects"][0]["spec"]["runStrategy"] == "Always")
    # A template of another namespace stays as it is: no released policy checked the author of its request.
    before = await admin.get(template_path("home", "x-onchange"))
    await admin.patch(vm_path("away", "keep"), {"spec": {"runStrategy": "Always"}})
    denied = await until(admin, "x-onchange", "CrossNamespaceDenied")
    assert condition(denied, "Authorized") == {}
    assert await admin.get(template_path("home", "x-onchange")) == before
