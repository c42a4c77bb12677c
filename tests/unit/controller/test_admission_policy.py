"""The manifests of the admission policy equal the specs that the controller accepts."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from atmpl.controller.admission_policy import SPECS

FOLDER = Path(__file__).parents[3] / "config" / "policy"


def manifests(kind: str) -> dict[str, dict[str, Any]]:
    """Return the specs of all manifests of a kind in config/policy, by name."""
    files = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    objects = [yaml.safe_load((FOLDER / file).read_text()) for file in files]
    return {obj["metadata"]["name"]: obj["spec"] for obj in objects if obj["kind"] == kind}


def test_config_policy_ships_all_accepted_policies() -> None:
    assert manifests("ValidatingAdmissionPolicy") == SPECS


def test_config_policy_ships_a_binding_for_each_policy() -> None:
    expected = {name: {"policyName": name, "validationActions": ["Deny"]} for name in SPECS}
    assert manifests("ValidatingAdmissionPolicyBinding") == expected


@pytest.mark.parametrize("name", SPECS)
def test_policy_matches_one_api_version(name: str) -> None:
    [rule] = SPECS[name]["matchConstraints"]["resourceRules"]
    assert rule["apiVersions"] == ["v1alpha1"]
    assert SPECS[name]["matchConstraints"]["matchPolicy"] == "Equivalent"
