"""The health checks of GitOps tools in config/README.md, on the conditions of every reason."""

from typing import Any

import pytest

from atmpl.controller.outcome import Reason
from tests.support.health import CREATED, HEALTH, by_argo_cd, by_go, by_rules, flux_options

REASONS = [reason for reason in HEALTH if reason != CREATED]


def request(reason: str, *, observed: int = 1) -> dict[str, Any]:
    """A request with the conditions of a reason."""
    ready = {"type": "Ready", "status": "True" if reason == "Rendered" else "False", "reason": reason, "message": "m"}
    stalled = {"type": "Stalled", "status": "True", "reason": reason, "message": "m"}
    conditions = [ready, *([stalled] if HEALTH[reason].kstatus == "Failed" else [])]
    return posted({"observedGeneration": observed, "conditions": conditions})


def posted(status: Any) -> dict[str, Any]:
    """A request with a status."""
    kind = {"apiVersion": "ssp.kubevirt.io/v1alpha1", "kind": "VirtualMachineTemplateRequest"}
    return kind | {"metadata": {"name": "web", "namespace": "team-a", "generation": 1}, "status": status}


NEW = {  # requests that the controller has not seen
    "no status": posted({}),
    "default status": posted({"observedGeneration": -1}),
    "older generation": request("Rendered", observed=0),
}


def test_table_has_every_reason() -> None:
    assert HEALTH.keys() == {*Reason, CREATED}


@pytest.mark.parametrize("reason", REASONS)
def test_argo_cd_shows_the_health_of_a_reason(reason: str) -> None:
    assert by_argo_cd(request(reason)) == {"status": HEALTH[reason].argo_cd, "message": f"{reason}: m"}


@pytest.mark.parametrize("case", NEW)
def test_argo_cd_waits_for_the_controller(case: str) -> None:
    assert by_argo_cd(NEW[case])["status"] == "Progressing"


def test_kstatus_and_its_rules_agree() -> None:
    objects = [*map(request, REASONS), *NEW.values()]
    assert [kstatus for kstatus, _ in by_go(objects)] == [by_rules(each) for each in objects]


def test_flux_without_expressions_reads_what_kstatus_reads() -> None:
    found = by_go([*map(request, REASONS), *NEW.values()])
    assert [flux for _, flux in found] == [kstatus for kstatus, _ in found]


def test_flux_evaluates_the_documented_expressions() -> None:
    found = by_go([*map(request, REASONS), NEW["default status"], NEW["older generation"]], *flux_options())
    assert [flux for _, flux in found] == [*(HEALTH[reason].flux for reason in REASONS), "InProgress", "InProgress"]
