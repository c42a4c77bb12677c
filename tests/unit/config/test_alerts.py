"""The alert rules and their cases. `just alerts` evaluates them with promtool."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

MONITORING = Path(__file__).parents[3] / "config" / "monitoring"
RULES: dict[str, Any] = {
    rule["alert"]: rule
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
}
CASES = [
    case
    for test in yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())["tests"]
    for case in test["alert_rule_test"]
]


@pytest.mark.parametrize("alert", RULES)
def test_alert_has_cases_for_firing_and_not_firing(alert: str) -> None:
    cases = [case for case in CASES if case["alertname"] == alert]
    assert any(case["exp_alerts"] for case in cases)
    assert any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_alert_has_severity_and_annotations(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    # Only the summary contains computed values: alerts_test.yaml is tried without the other annotations.
    assert "{{" not in rule["annotations"]["description"]


@pytest.mark.parametrize("alert", RULES)
def test_alert_has_a_namespace(alert: str) -> None:
    """AlertmanagerConfig routes by the label `namespace`."""
    expression = RULES[alert]["expr"]
    assert 'absent(atmpl_leader{namespace="' in expression or "by (namespace" in expression
    assert "instance" not in expression  # an IP address; pods have names


@pytest.mark.parametrize("alert", RULES)
def test_runbook_has_a_chapter_per_alert(alert: str) -> None:
    address, _, anchor = RULES[alert]["annotations"]["runbook_url"].partition("#")
    assert address == "https://github.com/OWNER/atmpl/blob/main/config/monitoring/README.md"
    assert anchor == alert.lower()
    assert f"\n## {alert}\n" in (MONITORING / "README.md").read_text()


def test_cases_name_existing_alerts() -> None:
    assert {case["alertname"] for case in CASES} == set(RULES)


def test_chapters_named_by_alerts_exist() -> None:
    page = (MONITORING.parent / "README.md").read_text()
    named = re.findall(
        r'config/README\.md, "([^"]+)"', " ".join(it["annotations"]["description"] for it in RULES.values())
    )
    assert named
    assert [chapter for chapter in named if f"\n## {chapter}\n" not in page] == []
