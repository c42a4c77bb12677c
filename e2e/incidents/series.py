"""What Prometheus recorded, as tests for promtool: the series of an incident, and the alerts at three times."""

import itertools
import re
from collections.abc import Sequence
from typing import Any

import yaml

from e2e.incidents.monitoring import INTERVAL_SECONDS, RULES, Monitoring

NAMESPACE = "atmpl-system"  # replaces the namespace of the incident
DROPPED = ("__name__", "job", "instance")
EXPRESSIONS: dict[str, str] = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load(RULES.read_text())["spec"]["groups"]
    for rule in group["rules"]
}


async def recorded_test(
    monitoring: Monitoring, namespace: str, start: float, end: float, *, alerts: Sequence[str], silent: Sequence[str]
) -> dict[str, Any]:
    """Return a test: `alerts` fire as they did, a minute before they were silent, and `silent` are so at the end."""
    cases = [_case(start, end, alert, []) for alert in silent]
    for alert in alerts:
        fired = await monitoring.query(f"{_firing(namespace, alert)}[{end - start:.0f}s]", at=end)
        first = min(item["values"][0][0] for item in fired)
        cases.append(_case(start, first - 60, alert, []))
        cases.append(_case(start, end, alert, await _alerts_at(monitoring, namespace, alert, end)))
        at = first + 60
        while at < end - 60:  # not within 30 s of another stream's alert
            found = [await _alerts_at(monitoring, namespace, alert, at + it) for it in (-30, 0, 30)]
            if found[0] == found[1] == found[2]:
                cases.append(_case(start, at, alert, found[1]))
                break
            at += 30
    metrics = await monitoring.query(
        f'{{namespace="{namespace}",__name__!~"ALERTS.*|scrape_.*|up"}}[{end - start:.0f}s]', at=end
    )
    used = set(re.findall(r"[a-z_]+", " ".join(EXPRESSIONS[alert] for alert in (*alerts, *silent))))
    series = [
        {"series": _name(item["metric"]), "values": _values(item["values"], start, end)}
        for item in sorted(metrics, key=lambda item: str(item["metric"]))
        if item["metric"]["__name__"] in used
    ]
    return {"interval": f"{INTERVAL_SECONDS}s", "input_series": series, "alert_rule_test": cases}


def _firing(namespace: str, alert: str) -> str:
    return f'ALERTS{{alertstate="firing",namespace="{namespace}",alertname="{alert}"}}'


async def _alerts_at(monitoring: Monitoring, namespace: str, alert: str, at: float) -> list[dict[str, Any]]:
    found = await monitoring.query(_firing(namespace, alert), at=at)
    labels = [
        _labels({key: value for key, value in item["metric"].items() if not key.startswith("alert")}) for item in found
    ]
    return [{"exp_labels": item} for item in sorted(labels, key=str)]


def _case(start: float, at: float, alert: str, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = int((at - start) // INTERVAL_SECONDS) * INTERVAL_SECONDS
    return {"eval_time": f"{seconds}s", "alertname": alert, "exp_alerts": alerts}


def _labels(metric: dict[str, str]) -> dict[str, str]:
    labels = {key: value for key, value in sorted(metric.items()) if key not in DROPPED}
    if "stream" in labels:
        labels["stream"] = labels["stream"].rpartition("/")[2]  # of --namespace
    return labels | {"namespace": NAMESPACE}


def _name(metric: dict[str, str]) -> str:
    labels = ",".join(f'{key}="{value}"' for key, value in _labels(metric).items())
    return f"{metric['__name__']}{{{labels}}}"


def _values(samples: list[list[Any]], start: float, end: float) -> str:
    """Return one value per interval.

    The first interval without a scrape is `stale`, as Prometheus marks it, and the next `_`. It is `_` too if the next
    scrape was only late: a scrape of a busy machine can fall into the following interval.
    """

    def interval(at: float) -> int:
        return int((at - start) // INTERVAL_SECONDS)

    by_interval = {interval(at): str(value) for at, value in samples}
    times = [at for at, _ in samples]
    late = {interval(at) + 1 for at, after in itertools.pairwise(times) if after - at < 2 * INTERVAL_SECONDS}
    line, before = list[str](), "_"
    for number in range(int((end - start) // INTERVAL_SECONDS)):
        value = by_interval.get(number, "_" if before in {"_", "stale"} or number in late else "stale")
        line.append(value)
        before = value
    return " ".join(_run(value, len(list(group))) for value, group in itertools.groupby(line))


def _run(value: str, length: int) -> str:
    """Return a value that occurs so many times in a row: `1x3` is four times 1, `_x4` is no value four times."""
    if length == 1:
        return value
    return f"_x{length}" if value == "_" else f"{value}x{length - 1}"
