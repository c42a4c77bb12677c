"""The admission policy and its binding as a real API server shows them, to be spoiled."""

import copy
from typing import Any

from atmpl.controller.admission_policy import NAME, SPEC

CREATED = "2026-11-24T05:00:20Z"  # of the request, in every case but those about it


def policy() -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {
            "name": NAME,
            "generation": 1,
            "creationTimestamp": "2026-11-24T05:00:00Z",
            "managedFields": [
                {
                    "manager": "validatingadmissionpolicy-status",
                    "operation": "Apply",
                    "subresource": "status",
                    "time": "2026-11-24T05:00:15Z",
                },
                {"manager": "kubectl", "operation": "Update", "time": "2026-11-24T05:00:00Z"},
            ],
        },
        "spec": copy.deepcopy(SPEC),
        "status": {"observedGeneration": 1, "typeChecking": {}},
    }


def binding() -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {
            "name": NAME,
            "generation": 1,
            "creationTimestamp": "2026-11-24T05:00:02Z",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "time": "2026-11-24T05:00:02Z"}],
        },
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }


def changed(p: dict[str, Any], *, generation: int, observed: int, at: str | None) -> None:
    """As after `generation - 1` changes, the last of which kube-controller-manager has dated."""
    p["metadata"]["generation"] = generation
    p["status"]["observedGeneration"] = observed
    p["metadata"]["managedFields"][0]["time"] = at
