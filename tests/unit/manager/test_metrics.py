"""Each metric is documented, each query uses an existing metric, and each series exists from the start."""

import json
import re
from pathlib import Path
from random import Random

import pytest
import yaml
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from atmpl.controller.authorization import PolicyCheck
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Expired,
    InternalError,
    Published,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    Source,
    SourceGone,
    UpToDate,
)
from atmpl.kube.auth.in_cluster import InCluster
from atmpl.kube.client import KubeClient
from atmpl.manager.collectors import RequestCollector, StreamCollector, StreamFigures
from atmpl.manager.manager import Manager
from atmpl.manager.metrics import Metrics

MONITORING = Path(__file__).parents[3] / "config" / "monitoring"


@pytest.fixture
async def metrics() -> Metrics:
    """The metrics of a manager that was not started."""
    metrics = Metrics()
    Manager(
        KubeClient(InCluster({"KUBERNETES_SERVICE_HOST": "api"})),
        metrics,
        workers=64,
        random=Random(0),
        identity="test",
    )
    return metrics


def families(registry: CollectorRegistry) -> dict[str, Metric]:
    """Return each metric by its name in queries."""
    return {
        f"{metric.name}_total" if metric.type == "counter" else metric.name: metric for metric in registry.collect()
    }


def labels(metric: Metric) -> set[str]:
    return {label for sample in metric.samples for label in sample.labels} - {"le"}


async def test_page_documents_each_metric(metrics: Metrics) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| (.+) \|$", (MONITORING / "METRICS.md").read_text(), re.MULTILINE)
    assert {name: (kind, set(re.findall(r"`(\w+)`", its)), meaning) for name, kind, its, meaning in rows} == {
        name: (metric.type, labels(metric), metric.documentation) for name, metric in families(metrics.registry).items()
    }
    assert len(rows) == len({name for name, *_ in rows})


async def test_page_documents_each_label_value(metrics: Metrics) -> None:
    page = (MONITORING / "METRICS.md").read_text()
    values = {
        value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        for label, value in sample.labels.items()
        if label not in {"le", "version", "python"}
    }
    assert {value for value in values if f"`{value}`" not in page} == set()


def queries() -> dict[str, str]:
    """Return each query of the dashboard and the alerts by its panel or alert."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    found = {f"{panel['title']} {it['refId']}": it["expr"] for panel in dashboard["panels"] for it in panel["targets"]}
    return found | {rule["alert"]: rule["expr"] for group in rules for rule in group["rules"]}


async def test_queries_use_existing_metrics_and_labels(metrics: Metrics) -> None:
    samples: dict[str, list[dict[str, str]]] = {}
    for metric in metrics.registry.collect():
        for sample in metric.samples:
            samples.setdefault(sample.name, []).append(sample.labels)
    for owner, query in queries().items():
        prefixes = "atmpl|workqueue|controller_runtime|process|rest_client|leader_election"
        used = re.findall(rf"\b((?:{prefixes})_\w+)(?:\{{(.*?)\}})?", query)
        assert used, owner
        for name, selector in used:
            assert name in samples, (owner, name)
            for label, how, value in re.findall(r'(\w+)(=~|!=|!~|=)"(.*?)"', selector):
                if label in {"namespace", "code"}:  # Prometheus adds namespaces; codes exist once they occur
                    continue
                for one in re.split(r"\|(?![^(]*\))", value) if "~" in how else [re.escape(value)]:
                    values = [its.get(label, "") for its in samples[name]]
                    assert any(re.fullmatch(one, known) for known in values), (owner, name, label, one)


async def test_every_series_exists_from_the_start(metrics: Metrics) -> None:
    before = {
        (sample.name, *sorted(sample.labels.items())) for it in metrics.registry.collect() for sample in it.samples
    }
    for outcome in (
        *(kind(reason, "why") for kind in (Blocked, Rejected, Retry) for reason in Reason),
        *(
            Conflict("it"),
            UpToDate(),
            RequestGone(),
            Expired(),
            InternalError(Reason.FAILED, ""),
            Detached(),
            SourceGone(ObjectKey("a", "b")),
            Blocked(Reason.FAILED, "", requeue_after=1.0),
        ),
        Rendered(Source("u", 1, "1"), Published("u", "1"), 3, (), "", written=True),
    ):
        for verdict in PolicyCheck:
            metrics.reconciled(outcome, verdict, 0.1)
    after = {
        (sample.name, *sorted(sample.labels.items())) for it in metrics.registry.collect() for sample in it.samples
    }
    assert after == before


async def test_reconcile_counts_by_result_outcome_and_verdict(metrics: Metrics) -> None:
    metrics.reconciled(Retry(Reason.FORBIDDEN, "why"), PolicyCheck.POLICY_ABSENT, 0.003)
    metrics.reconciled(Blocked(Reason.TARGET_CONFLICT, "why", requeue_after=60.0), None, 0.3)
    counted = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.value and sample.name.startswith(("controller_runtime_reconcile", "atmpl_outcomes", "atmpl_access"))
    }
    controller = "virtualmachinetemplaterequest"
    times = "controller_runtime_reconcile_time_seconds"
    assert {key: value for key, value in counted.items() if not key[0].endswith("_bucket")} == {
        ("controller_runtime_reconcile_total", controller, "error"): 1,
        ("controller_runtime_reconcile_total", controller, "requeue_after"): 1,
        ("controller_runtime_reconcile_errors_total", controller): 1,
        (f"{times}_count", controller): 2,
        (f"{times}_sum", controller): pytest.approx(0.303),
        ("atmpl_outcomes_total", "Forbidden"): 1,
        ("atmpl_outcomes_total", "TargetConflict"): 1,
        ("atmpl_access_verdicts_total", "policy_absent"): 1,
    }
    assert counted[f"{times}_bucket", controller, "0.005"] == 1
    assert counted[f"{times}_bucket", controller, "0.5"] == 2


async def test_internal_error_is_a_panic(metrics: Metrics) -> None:
    metrics.reconciled(InternalError(Reason.FAILED, ""), None, 0.1)
    metrics.panicked()
    assert value(metrics, "controller_runtime_reconcile_panics_total") == 2
    assert value(metrics, "controller_runtime_reconcile_errors_total") == 1


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    labels = labels or {"controller": "virtualmachinetemplaterequest"}
    return metrics.registry.get_sample_value(name, labels)


async def test_calls_are_counted_by_method_and_code(metrics: Metrics) -> None:
    metrics.called("POST", "403", 0.6)
    metrics.called("GET", "<error>", 0.1)
    assert value(metrics, "rest_client_requests_total", code="403", method="POST") == 1
    assert value(metrics, "rest_client_requests_total", code="<error>", method="GET") == 1
    assert value(metrics, "rest_client_request_duration_seconds_bucket", verb="POST", le="0.5") == 0
    assert value(metrics, "rest_client_request_duration_seconds_bucket", verb="POST", le="1.0") == 1


@pytest.mark.parametrize("name", ["workqueue_queue_duration_seconds", "workqueue_work_duration_seconds"])
async def test_long_waits_in_the_queue_have_buckets(metrics: Metrics, name: str) -> None:
    for seconds in ("100.0", "300.0", "1000.0"):
        labels = {"name": "virtualmachinetemplaterequest", "le": seconds}
        assert metrics.registry.get_sample_value(f"{name}_bucket", labels) == 0


STREAMS = {  # is the list complete, is the API served: synced, served
    "listing": (False, False),
    "absent": (True, False),
    "watched": (True, True),
}


async def test_stream_without_a_list_is_neither_synced_nor_served() -> None:
    streams = [StreamFigures(name, 0, synced, served, 0, 0, 0) for name, (synced, served) in STREAMS.items()]
    registry = CollectorRegistry()
    registry.register(StreamCollector(lambda: streams))
    for name, (synced, served) in STREAMS.items():
        assert registry.get_sample_value("atmpl_watch_synced", {"stream": name}) == synced
        assert registry.get_sample_value("atmpl_watch_served", {"stream": name}) == served


async def test_requests_are_counted_by_reason() -> None:
    collector = RequestCollector(lambda: ["Rendered", "", "InvalidSource", "", "Rendered", "password", "Rendered"])
    [metric] = collector.collect()
    counts = {sample.labels["reason"]: sample.value for sample in metric.samples}
    assert {reason: count for reason, count in counts.items() if count} == {
        "Rendered": 3,
        "Pending": 2,
        "InvalidSource": 1,
        "Unknown": 1,  # a user may write any reason: it is not a label
    }
    assert set(counts) == {*Reason, "Pending", "Unknown"}


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
async def test_metric_families_have_unique_names(metrics: Metrics, accept: str) -> None:
    """In OpenMetrics the counter x_total is the family x: a gauge x would be a second family of that name."""
    text = choose_encoder(accept)[0](metrics.registry).decode()
    families = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(families) == len(set(families))
