"""The policy that people install is the one that the controller looks for."""

from pathlib import Path
from typing import Any

import yaml

from atmpl.controller.admission_policy import NAME, SPEC

FOLDER = Path(__file__).parents[3] / "config" / "policy"


def manifest(file: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / file).read_text())


def test_config_policy_ships_the_spec_that_the_controller_looks_for() -> None:
    shipped = manifest("policy.yaml")
    assert shipped["metadata"]["name"] == NAME
    assert shipped["spec"] == SPEC


def test_config_policy_ships_the_binding_that_the_controller_looks_for() -> None:
    shipped = manifest("binding.yaml")
    assert shipped["metadata"]["name"] == NAME
    assert shipped["spec"] == {"policyName": NAME, "validationActions": ["Deny"]}
