"""What the controller writes into requests and templates, and what it leaves to others, on a real API server."""

from typing import Any

import pytest

from atmpl.version import __version__
from e2e.controller import Controller
from e2e.envtest import Client, ControlPlane, Server
from e2e.objects import condition, is_ready, reason
from tests.support.audit_rights import USER
from tests.support.builders import Object, request, request_path, template_path, vm, vm_path

pytestmark = pytest.mark.usefixtures("controller")

LONG_AGO = "2024-01-01T00:00:00Z"


async def settled(client: Client, namespace: str) -> None:
    """Wait until the controller has served a request that was created after all events so far."""
    await client.create(request(namespace, "last"))
    await client.until(request_path(namespace, "last"), is_ready)


def status_of(found: Object | None) -> Any:
    assert found is not None
    return found["status"]


async def test_completion_time_is_not_the_transition(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    rendered = status_of(await client.until(request_path(namespace), is_ready))
    assert "completionTime" not in rendered
    await client.patch(f"{request_path(namespace)}/status", _since(rendered, LONG_AGO))
    spec = {"refreshPolicy": "Once", "ttlSecondsAfterFinished": 3600}
    await client.patch(request_path(namespace), {"spec": spec})
    found = await client.until(request_path(namespace), lambda it: "completionTime" in it["status"])
    assert condition(found)["lastTransitionTime"] == LONG_AGO
    assert status_of(found)["completionTime"] > LONG_AGO
    await settled(client, namespace)
    await client.get(request_path(namespace))  # was not deleted: the TTL does not count from the transition
    await client.patch(f"{request_path(namespace)}/status", {"status": {"completionTime": LONG_AGO}})
    await client.until(request_path(namespace), lambda it: it is None)


def _since(status: Any, time: str) -> Object:
    return {"status": {"conditions": [it | {"lastTransitionTime": time} for it in status["conditions"]]}}


async def test_conditions_of_other_writers_are_kept(client: Client, namespace: str) -> None:
    await client.create(request(namespace))
    waiting = status_of(await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound"))
    foreign = {
        "type": "example.com/Approved",
        "status": "Unknown",
        "reason": "By_hand",
        "message": "m" * 32_768,
        "lastTransitionTime": LONG_AGO,
    }
    both = {"status": {"conditions": [*waiting["conditions"], foreign]}}
    await client.patch(f"{request_path(namespace)}/status", both)
    await client.create(vm(namespace))
    found = await client.until(request_path(namespace), is_ready)
    assert condition(found, "example.com/Approved") == foreign


async def test_deleted_template_leaves_its_finished_request_ready(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace))
    before = status_of(await client.until(request_path(namespace), is_ready))
    await client.delete(template_path(namespace))
    await client.patch(vm_path(namespace), {"spec": {"runStrategy": "Always"}})
    await client.patch(request_path(namespace), {"metadata": {"annotations": {"touched": "yes"}}})
    await settled(client, namespace)
    assert status_of(await client.get(request_path(namespace))) == before
    names = {it["metadata"]["name"] for it in (await client.get(template_path(namespace, "").rstrip("/")))["items"]}
    assert names == {"last"}


async def test_source_is_shown_before_the_first_rendering(server: Server, client: Client, namespace: str) -> None:
    decoy = {"labels": {"vmName": "decoy", "vmNamespace": "decoy"}}
    await client.create(request(namespace, templateMetadata=decoy))
    found = await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound")
    assert status_of(found)["source"] == {"namespace": namespace, "name": "vm"}
    [header, row] = server.kubectl("get", "vmtreq", "--namespace", namespace, "--output", "wide").splitlines()
    for column, value in (("SOURCE ", "vm "), ("SOURCE NAMESPACE", namespace), ("REASON", "SourceNotFound")):
        assert row[header.index(column) :].startswith(value)
    assert "decoy" not in row


async def test_writes_name_the_controller(
    server: Server, controller: Controller, client: Client, namespace: str
) -> None:
    assert controller.url
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    found = await client.until(request_path(namespace), is_ready)
    template = await client.get(template_path(namespace))
    assert {it["manager"] for it in template["metadata"]["managedFields"]} == {"atmpl-controller"}
    managers = {it.get("subresource", ""): it["manager"] for it in (found or {})["metadata"]["managedFields"]}
    assert managers["status"] == "atmpl-controller"
    if isinstance(server, ControlPlane):
        events = [it for it in server.audit_events() if it["user"]["username"] == USER]
        assert {it["userAgent"] for it in events} == {f"atmpl/{__version__}"}
