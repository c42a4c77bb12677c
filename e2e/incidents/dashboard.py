"""The queries of the dashboard, evaluated by Prometheus as Grafana does."""

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from e2e.incidents.monitoring import INTERVAL_SECONDS, Monitoring

DASHBOARD = Path(__file__).parents[2] / "config" / "monitoring" / "dashboard.json"
RATE_INTERVAL = f"{4 * INTERVAL_SECONDS}s"  # Grafana's $__rate_interval: four scrapes
BUSY, IDLE = "atmpl-system", "idle"  # namespaces with and without requests
POLICY = "policy"  # the only namespace whose controller has the gauge: the others run with --policy=Optional
PANELS_OF_POLICY = ("Admission policy in force",)
PLAYED = (BUSY, IDLE, POLICY)


async def problems_of_panels(monitoring: Monitoring, start: float, end: float) -> AsyncIterator[str]:
    """Yield a sentence per query that is rejected, is empty while requests are served, or is NaN.

    The incidents PLAYED must be played.
    """
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            busy = POLICY if panel["title"] in PANELS_OF_POLICY else BUSY
            for namespace in (busy, IDLE):
                where = f"panel {panel['title']}, {target['refId']}, {namespace}"
                query = target["expr"].replace("$__rate_interval", RATE_INTERVAL).replace("$namespace", namespace)
                try:
                    found = await monitoring.query_range(query, start, end, INTERVAL_SECONDS)
                except ValueError as error:
                    yield f"{where}: {error}"
                    continue
                if namespace == busy and not _points(found):
                    yield f"{where}: empty"
                if any(not math.isfinite(value) for value in _points(found)):
                    yield f"{where}: NaN or infinite"


def _points(found: list[dict[str, Any]]) -> list[float]:
    return [float(value) for item in found for _, value in item["values"]]
