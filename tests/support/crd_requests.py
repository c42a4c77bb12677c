"""Requests in both forms, and the API server's messages about invalid ones."""

import re
from collections.abc import Iterable
from typing import Any

from e2e.envtest import ApiError

COLLECTION = "/apis/ssp.kubevirt.io/v1alpha1/namespaces/default/virtualmachinetemplaterequests"

LONG_FORM: dict[str, Any] = {
    "source": {"vmName": "vm-ephemeral", "vmNamespace": "team-a"},
    "target": {"openshiftTemplate": {"name": "vm-ephemeral-template"}},
}
SHORT_FORM: dict[str, Any] = {
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
    return LONG_FORM | {"source": {"vmName": "fedora"} | fields}


def target(**fields: Any) -> dict[str, Any]:
    return LONG_FORM | {"target": fields}


def complaints(error: ApiError) -> list[str]:
    """Return the causes of a rejection, one line per field, without the hint that there can be more."""
    causes = error.body["details"]["causes"]
    return normalized(f"{cause['field']}: {cause['message']}" for cause in causes if cause["field"] != "<nil>")


def normalized(messages: Iterable[str]) -> list[str]:
    """Return messages in the form that is common to all versions of Kubernetes, sorted.

    Kubernetes 1.30 reports the type of an invalid value instead of the value, `may not be longer than 253` instead of
    `may not be more than 253 bytes`, Go's type of a duplicate, and fields of a status without `status`.
    """
    return sorted(map(_normalized, messages))


def _normalized(message: str) -> str:
    message = message.removeprefix("status.").replace("map[string]interface {}{", "{")
    message = re.sub(r'Invalid value: "(?:[^"\\]|\\.)*": ', "Invalid value: ", message)
    return re.sub(r"may not be (?:longer|more) than (\d+)(?: bytes)?", r"at most \1 bytes", message)
