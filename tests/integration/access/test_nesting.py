"""A user who may write one object can nest it as deeply as the API server accepts, and affects no other user."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from e2e.controller import Controller, service_account
from e2e.envtest import ControlPlane
from e2e.objects import is_ready
from tests.support.builders import REQUESTS_API, TEMPLATES_API, VMS_API, request, request_path, vm

LEVELS = 4_000  # an API server stores 10,000
MANAGED = {
    "manager": "deep",
    "operation": "Update",
    "time": "2024-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:spec": "DEEP"},  # of fields that do not exist, which is accepted
}
NAMESPACE = "deep"


def managed(posted: dict[str, Any]) -> dict[str, Any]:
    posted["metadata"]["managedFields"] = [MANAGED | {"apiVersion": posted["apiVersion"]}]
    return posted


KEPT = {
    "apiVersion": "template.openshift.io/v1",
    "kind": "Template",
    "metadata": {"name": "kept", "namespace": NAMESPACE, "labels": {"ssp.kubevirt.io/refresh": "OnChange"}},
    "objects": ["DEEP"],
}
POSTED = {
    f"{REQUESTS_API}/namespaces/{NAMESPACE}/virtualmachinetemplaterequests": [
        managed(request(NAMESPACE, "deep")),
        request(NAMESPACE, "of-a-deep-vm", source="deep"),
    ],
    f"{VMS_API}/namespaces/{NAMESPACE}/virtualmachines": [vm(NAMESPACE), managed(vm(NAMESPACE, "deep"))],
    f"{TEMPLATES_API}/namespaces/{NAMESPACE}/templates": [managed(KEPT)],
}


@asynccontextmanager
async def running(server: ControlPlane) -> AsyncIterator[Controller]:
    controller = Controller(await asyncio.to_thread(service_account, server))
    await asyncio.to_thread(controller.__enter__)
    try:
        yield controller
    finally:
        await asyncio.to_thread(controller.stop)


async def test_deeply_nested_objects_block_no_request(audited: ControlPlane) -> None:
    kubectl = audited.kubectl
    kubectl("create", "namespace", NAMESPACE)
    async with audited.client() as client:
        async with running(audited) as controller:  # they come as events
            for collection, things in POSTED.items():
                for posted in things:
                    # No encoder here goes as deep either.
                    text = json.dumps(posted).replace('"DEEP"', '{"f:a":' * LEVELS + "{}" + "}" * LEVELS)
                    await asyncio.to_thread(kubectl, "create", "--raw", collection, "--filename", "-", input=text)
            await client.create(request(NAMESPACE))
            await client.until(request_path(NAMESPACE), is_ready)
            wait = ("wait", "--namespace", NAMESPACE, "--timeout", "20s")
            await asyncio.to_thread(kubectl, *wait, "--for=condition=Ready", "vmtreq/deep")
            await asyncio.to_thread(kubectl, *wait, "--for=condition=Stalled", "vmtreq/of-a-deep-vm")
            ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'
            refused = ("get", "vmtreq/of-a-deep-vm", "--namespace", NAMESPACE, "--output", ready)
            assert await asyncio.to_thread(kubectl, *refused) == "InvalidSource"
            assert await asyncio.to_thread(controller.get, "/healthz") == (200, "ok\n")
        async with running(audited) as controller:  # they come in pages of a list
            await client.create(request(NAMESPACE, "later"))
            await client.until(request_path(NAMESPACE, "later"), is_ready)
            assert await asyncio.to_thread(controller.get, "/healthz") == (200, "ok\n")
            assert [line for line in controller.lines if line["level"] not in {"info", "debug"}] == []
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")
