"""The VMs, requests and templates of the tests, and their paths."""

from typing import Any

from atmpl.controller.objects import ObjectKey
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, VMS, Object

NAMESPACE = "team-a"

REQUESTS_API = "/apis/ssp.kubevirt.io/v1alpha1"
VMS_API = "/apis/kubevirt.io/v1"
TEMPLATES_API = "/apis/template.openshift.io/v1"
NATIVE_TEMPLATES_API = "/apis/template.kubevirt.io/v1beta1"


def a_vm(name: str = "vm", *, namespace: str = NAMESPACE, memory: Any = "128Mi", **metadata: Any) -> Object:
    """Return a small halted VM."""
    instance = {"domain": {"devices": {}, "resources": {"requests": {"memory": memory}}}}
    return {
        "apiVersion": VMS.api_version,
        "kind": VMS.kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"runStrategy": "Halted", "template": {"spec": instance}},
    }


def with_memory(memory: Any) -> Object:
    """Return the merge patch that sets a VM's memory; None removes it."""
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
    """Return a request for OpenShift's format."""
    return {
        "apiVersion": REQUESTS.api_version,
        "kind": REQUESTS.kind,
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        "spec": {"source": {"vmName": vm}, "target": {"openshiftTemplate": {"name": target}}, **spec},
    }


def a_flat_request(name: str = "request", *, namespace: str = NAMESPACE, target: str = "golden", **spec: Any) -> Object:
    """Return the same request in the short form."""
    posted = a_request(name, namespace=namespace)
    return posted | {"spec": {"vmName": "vm", "templateName": target, **spec}}


def a_template(name: str = "golden", *, namespace: str = NAMESPACE, native: bool = False, **metadata: Any) -> Object:
    """Return an unowned template."""
    resource = NATIVE if native else TEMPLATES
    content = {"spec": {"virtualMachine": {}}} if native else {"objects": [], "parameters": []}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        **content,
    }


def key_of(obj: Object) -> ObjectKey:
    """Return the key of an object."""
    return ObjectKey(obj["metadata"]["namespace"], obj["metadata"]["name"])


def vm(namespace: str, name: str = "vm", *, memory: str = "128Mi", **metadata: Any) -> Object:
    """Return a small halted VM with a disk, which KubeVirt's schema accepts."""
    found = a_vm(name, namespace=namespace, memory=memory, **metadata)
    instance = found["spec"]["template"]["spec"]
    instance["domain"]["devices"] = {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}
    instance["volumes"] = [{"name": "root", "containerDisk": {"image": "registry:5000/disk:1"}}]
    return found


def request(namespace: str, name: str = "request", *, source: str = "vm", target: str = "", **spec: Any) -> Object:
    """Return a request for OpenShift's format; without a target, the API server derives the template's name."""
    found = a_request(name, namespace=namespace, vm=source, target=target, **spec)
    if not target:
        found["spec"]["target"] = {"openshiftTemplate": {}}
    return found


def vm_path(namespace: str, name: str = "vm") -> str:
    """Return the path of a VM."""
    return f"{VMS_API}/namespaces/{namespace}/virtualmachines/{name}"


def request_path(namespace: str, name: str = "request") -> str:
    """Return the path of a request."""
    return f"{REQUESTS_API}/namespaces/{namespace}/virtualmachinetemplaterequests/{name}"


def template_path(namespace: str, name: str = "request") -> str:
    """Return the path of an OpenShift template."""
    return f"{TEMPLATES_API}/namespaces/{namespace}/templates/{name}"


def defaults(template: Object) -> dict[str, str]:
    """Return the default values of a template's parameters."""
    return {parameter["name"]: parameter.get("value", "") for parameter in template["parameters"]}
