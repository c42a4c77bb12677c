"""The incidents of `just incidents`, and the series that it recorded. `just alerts` evaluates those with promtool."""

from pathlib import Path

import pytest
import yaml

from e2e.incidents import series
from e2e.incidents.incidents import INCIDENTS

RECORDED = yaml.safe_load((Path(__file__).parents[3] / "e2e" / "incidents" / "recorded.yaml").read_text())


@pytest.mark.parametrize("name", INCIDENTS)
def test_incident_names_existing_alerts(name: str) -> None:
    incident = INCIDENTS[name]
    assert {*incident.expected, *incident.allowed, *incident.silent} <= set(series.EXPRESSIONS)
    assert not {*incident.expected, *incident.allowed} & {*incident.silent}


def test_recorded_series_are_of_the_incidents() -> None:
    assert {test["name"] for test in RECORDED["tests"]} == {it.text for it in INCIDENTS.values() if it.recorded}


@pytest.mark.parametrize("test", RECORDED["tests"], ids=lambda test: test["name"])
def test_recorded_alert_fires_after_it_was_silent(test: dict) -> None:
    incident = next(it for it in INCIDENTS.values() if it.text == test["name"])
    assert test["input_series"]
    for alert in incident.expected:
        cases = [case["exp_alerts"] for case in test["alert_rule_test"] if case["alertname"] == alert]
        assert any(cases)
        assert not all(cases)


def test_first_missing_scrape_is_stale() -> None:
    samples = [[1000.5, "1"], [1015.5, "1"], [1030.5, "2"], [1075.5, "NaN"]]
    assert series._values(samples, 1000, 1090) == "1x1 2 stale _ NaN"
    assert series._values(samples[:1], 1000, 1060) == "1 stale _x2"


def test_late_scrape_is_not_stale() -> None:
    samples = [[1000.5, "1"], [1014.5, "2"], [1030.5, "3"]]
    assert series._values(samples, 1000, 1045) == "2 _ 3"


def test_namespace_of_the_incident_is_not_recorded() -> None:
    metric = {"__name__": "up", "namespace": "cut", "stream": "cut/templates", "job": "atmpl", "instance": "a:1"}
    assert series._name(metric) == 'up{namespace="atmpl-system",stream="templates"}'
