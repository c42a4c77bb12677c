"""The queries of the dashboard, evaluated by Prometheus as Grafana does."""

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from e2e.incidents.monitoring import Monitoring

DASHBOARD = Path(__file__).parents[2] / "config" / "monitoring" / "dashboard.json"
BUSY, IDLE = "atmpl-system", "idle"  # namespaces with and without requests
POLICY = "policy"  # the only namespace whose controller has the gauge: the others run with --policy=Optional
PANELS_OF_POLICY = ("Admission policy in force",)
PLAYED = (BUSY, IDLE, POLICY)
ABSENT = "absent"  # a namespace without a controller


async def problems_of_panels(
    monitoring: Monitoring, start: float, end: float, *, busy: str = BUSY, idle: str = IDLE, policy: str = POLICY
) -> AsyncIterator[str]:
    """Yield a sentence per query that is rejected, is empty while requests are served, or is NaN.

    Also one per query that has a result for a namespace without a controller: it mixes installations. The arguments
    are namespaces whose controllers were scraped.
    """
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            full = policy if panel["title"] in PANELS_OF_POLICY else busy
            for namespace in (full, idle, ABSENT):
                where = f"panel {panel['title']}, {target['refId']}, {namespace}"
                query = query_of(target["expr"], namespace, monitoring.interval_seconds)
                try:
                    found = await monitoring.query_range(query, start, end, monitoring.interval_seconds)
                except ValueError as error:
                    yield f"{where}: {error}"
                    continue
                if namespace == full and not _points(found):
                    yield f"{where}: empty"
                if namespace == ABSENT and _points(found):
                    yield f"{where}: shows another installation"
                if any(not math.isfinite(value) for value in _points(found)):
                    yield f"{where}: NaN or infinite"


def query_of(expression: str, namespace: str, interval_seconds: int) -> str:
    """Return the query of a panel for a namespace. Grafana's $__rate_interval is four scrapes."""
    return expression.replace("$__rate_interval", f"{4 * interval_seconds}s").replace("$namespace", namespace)


def _points(found: list[dict[str, Any]]) -> list[float]:
    return [float(value) for item in found for _, value in item["values"]]
