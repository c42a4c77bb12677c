"""config/monitoring against config/default: what Prometheus and Grafana find by labels and names."""

import json

from e2e.controller import NAMESPACE
from tests.support.manifests import one, render


def test_monitoring_has_dashboard_rules_and_monitor() -> None:
    objects = render("monitoring")
    assert [it["kind"] for it in objects] == ["ConfigMap", "PrometheusRule", "ServiceMonitor"]
    assert {it["metadata"]["namespace"] for it in objects} == {NAMESPACE}
    assert json.loads(objects[0]["data"]["dashboard.json"])["title"] == "atmpl"


def test_service_monitor_selects_the_pods() -> None:
    default = render("default")
    pods = one(default, "Deployment")["spec"]["template"]
    service, monitor = one(default, "Service"), one(render("monitoring"), "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [port["port"] for port in monitor["spec"]["endpoints"]] == ["metrics"]
    assert service["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    [port] = pods["spec"]["containers"][0]["ports"]
    assert port["name"] == service["spec"]["ports"][0]["targetPort"] == service["spec"]["ports"][0]["name"]
