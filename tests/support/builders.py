"""VMs, requests and templates as persons post them."""

from typing import Any

from atmpl.controller.objects import ObjectKey
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, VMS, Object

NAMESPACE = "team-a"


def a_vm(name: str = "vm", *, namespace: str = NAMESPACE, memory: Any = "128Mi", **metadata: Any) -> Object:
    """A small VM."""
    instance = {"domain": {"devices": {}, "resources": {"requests": {"memory": memory}}}}
    return {
        "apiVersion": VMS.api_version,
        "kind": VMS.kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"runStrategy": "Halted", "template": {"spec": instance}},
    }


def with_memory(memory: Any) -> Object:
    """The merge patch that gives a VM this much memory; null makes it one that has none."""
    return {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": memory}}}}}}}


def a_request(
    name: str = "request",
    *,
    namespace: str = NAMESPACE,
    vm: str = "vm",
    target: str = "golden",
    metadata: Object | None = None,
    **spec: Any,
) -> Object:
    """A request for OpenShift's format."""
    return {
        "apiVersion": REQUESTS.api_version,
        "kind": REQUESTS.kind,
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        "spec": {"source": {"vmName": vm}, "target": {"openshiftTemplate": {"name": target}}, **spec},
    }


def a_flat_request(name: str = "request", *, namespace: str = NAMESPACE, target: str = "golden", **spec: Any) -> Object:
    """The same in the flat form."""
    posted = a_request(name, namespace=namespace)
    return posted | {"spec": {"vmName": "vm", "templateName": target, **spec}}


def a_template(name: str = "golden", *, namespace: str = NAMESPACE, native: bool = False, **metadata: Any) -> Object:
    """A template of somebody else's."""
    resource = NATIVE if native else TEMPLATES
    content = {"spec": {"virtualMachine": {}}} if native else {"objects": [], "parameters": []}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        **content,
    }


def key_of(obj: Object) -> ObjectKey:
    """Where an object is."""
    return ObjectKey(obj["metadata"]["namespace"], obj["metadata"]["name"])
