"""What people post: virtual machines and requests."""

from typing import Any

Object = dict[str, Any]

REQUESTS = "/apis/ssp.kubevirt.io/v1alpha1"
VMS = "/apis/kubevirt.io/v1"
TEMPLATES = "/apis/template.openshift.io/v1"
NATIVE_TEMPLATES = "/apis/template.kubevirt.io/v1beta1"


def vm(namespace: str, name: str = "vm", *, memory: str = "128Mi", **metadata: Any) -> Object:
    """A small VM, halted, that KubeVirt's own schema admits."""
    spec = {
        "domain": {
            "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]},
            "resources": {"requests": {"memory": memory}},
        },
        "volumes": [{"name": "root", "containerDisk": {"image": "registry:5000/disk:1"}}],
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"runStrategy": "Halted", "template": {"spec": spec}},
    }


def request(namespace: str, name: str = "request", *, source: str = "vm", target: str = "", **spec: Any) -> Object:
    """A request of the canonical form, for OpenShift's format."""
    named = {"name": target} if target else {}
    return {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"vmName": source}, "target": {"openshiftTemplate": named}, **spec},
    }


def vm_path(namespace: str, name: str = "vm") -> str:
    """Where a VM is."""
    return f"{VMS}/namespaces/{namespace}/virtualmachines/{name}"


def request_path(namespace: str, name: str = "request") -> str:
    """Where a request is."""
    return f"{REQUESTS}/namespaces/{namespace}/virtualmachinetemplaterequests/{name}"


def template_path(namespace: str, name: str = "request") -> str:
    """Where a template of OpenShift's is."""
    return f"{TEMPLATES}/namespaces/{namespace}/templates/{name}"


def defaults(template: Object) -> dict[str, str]:
    """The parameters of a template and their values."""
    return {parameter["name"]: parameter.get("value", "") for parameter in template["parameters"]}
