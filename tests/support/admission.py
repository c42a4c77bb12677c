"""The admission policy and its binding as a real API server returns them, for tests that change them."""

import copy
from typing import Any

from atmpl.controller.admission_policy import SPECS, V1
from atmpl.controller.cluster import PolicyObjects

CREATED = "2026-11-24T05:00:20Z"  # of the request


def policy() -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": V1, "generation": 1, "creationTimestamp": "2026-11-24T05:00:00Z"},
        "spec": copy.deepcopy(SPECS[V1]),
        "status": {"observedGeneration": 1, "typeChecking": {}},
    }


def binding() -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": V1, "generation": 1, "creationTimestamp": "2026-11-24T05:00:02Z"},
        "spec": {"policyName": V1, "validationActions": ["Deny"]},
    }


def policies(policy: Any, binding: Any) -> dict[str, PolicyObjects]:
    """Return the objects as `Cluster.policies` does."""
    return {V1: PolicyObjects(policy, binding)}


IN_FORCE = policies(policy(), binding())
ABSENT = policies(None, None)
