"""Requests as a person posts them, and the API server's answers to the wrong ones."""

from typing import Any

from e2e.envtest import ApiError

COLLECTION = "/apis/ssp.kubevirt.io/v1alpha1/namespaces/default/virtualmachinetemplaterequests"

CANONICAL: dict[str, Any] = {
    "source": {"vmName": "vm-ephemeral", "vmNamespace": "team-a"},
    "target": {"openshiftTemplate": {"name": "vm-ephemeral-template"}},
}
FLAT: dict[str, Any] = {
    "vmName": "vm-ephemeral",
    "templateName": "vm-ephemeral-template",
    "format": "template.openshift.io/v1",
}


def request(spec: Any, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": metadata or {"generateName": "request-"},
        "spec": spec,
    }


def source(**fields: Any) -> dict[str, Any]:
    return CANONICAL | {"source": {"vmName": "fedora"} | fields}


def target(**fields: Any) -> dict[str, Any]:
    return CANONICAL | {"target": fields}


def complaints(error: ApiError) -> list[str]:
    """What is wrong, a field a line, as kubectl prints it; but for the hint that there may be more."""
    causes = error.body["details"]["causes"]
    return sorted(f"{cause['field']}: {cause['message']}" for cause in causes if cause["field"] != "<nil>")
