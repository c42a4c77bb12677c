"""Small virtual machines and requests for tests and tools, and functions to read their status."""

import asyncio
from collections.abc import Iterable
from typing import Any

from e2e.envtest import Client

Object = dict[str, Any]

UID = "ssp.kubevirt.io/request-uid"  # label of a template: the uid of its request
AT_ONCE = 32  # concurrent calls


def requests(namespace: str) -> str:
    """Return the path of a namespace's requests."""
    return f"/apis/ssp.kubevirt.io/v1alpha1/namespaces/{namespace}/virtualmachinetemplaterequests"


def templates(namespace: str) -> str:
    """Return the path of a namespace's templates."""
    return f"/apis/template.openshift.io/v1/namespaces/{namespace}/templates"


def vms(namespace: str) -> str:
    """Return the path of a namespace's virtual machines."""
    return f"/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachines"


def namespace(name: str) -> Object:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def vm(name: str, memory: str = "128Mi") -> Object:
    """Return a small VM, halted; its memory becomes the parameter REQUESTS_MEMORY."""
    domain = {"devices": {}, "resources": {"requests": {"memory": memory}}}
    spec = {"runStrategy": "Halted", "template": {"spec": {"domain": domain}}}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name}, "spec": spec}


def memory_of(memory: str) -> Object:
    """Return the merge patch that gives a VM another memory."""
    return {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": memory}}}}}}}


def request(name: str, source: str = "vm", *, keep: bool = False, native: bool = False) -> Object:
    """Return a request for OpenShift's format, or for KubeVirt's (`native`); `keep` sets refreshPolicy OnChange."""
    return {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": name},
        "spec": {
            "source": {"vmName": source},
            "target": {"virtualMachineTemplate" if native else "openshiftTemplate": {}},
            "refreshPolicy": "OnChange" if keep else "Once",
        },
    }


def condition(found: Object | None, type: str = "Ready") -> Object:
    """Return a condition of an object's status, or {}."""
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == type), {})


def is_ready(found: Object | None) -> bool:
    """Return True if the object's Ready condition is True."""
    return condition(found).get("status") == "True"


def reason(found: Object | None) -> str:
    """Return the reason of a request's Ready condition, or an empty string."""
    return str(condition(found).get("reason", ""))


def memory(template: Object | None) -> str:
    """Return a template's default memory, or an empty string."""
    parameters = (template or {}).get("parameters") or []
    return next((str(item.get("value")) for item in parameters if item["name"] == "REQUESTS_MEMORY"), "")


async def post_all(client: Client, path: str, bodies: Iterable[Object]) -> None:
    """Post many objects to one collection, some at once. Raises ApiError."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def post(body: Object) -> None:
        async with limit:
            await client.post(path, body)

    await asyncio.gather(*map(post, bodies))


async def versions(client: Client, namespace: str) -> dict[str, str]:
    """Return the resourceVersion of each request and template."""
    items = [*(await client.get(requests(namespace)))["items"], *(await client.get(templates(namespace)))["items"]]
    return {f"{item['kind']} {item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in items}


def written(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return one sentence per object that was written between two results of `versions`."""
    return [f"{name} was written while idle" for name in sorted(before | after) if before.get(name) != after.get(name)]
