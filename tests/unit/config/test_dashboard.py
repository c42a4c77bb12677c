"""The dashboard's panels, as JSON. `just alerts` checks their queries with promtool."""

import json
import re
from pathlib import Path
from typing import Any

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "config" / "monitoring" / "dashboard.json").read_text()
)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]


def test_idle_histograms_show_no_nan() -> None:
    quantiles = [query for query in QUERIES if "histogram_quantile" in query]
    assert quantiles
    assert all(query.endswith(">= 0") for query in quantiles)


def test_panel_has_title_unit_and_legends() -> None:
    assert len({panel["title"] for panel in PANELS}) == len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        names = [target["legendFormat"] for target in panel["targets"]]
        assert all(names), panel["title"]
        assert len(set(names)) == len(names), panel["title"]


def test_panels_query_the_selected_installation() -> None:
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "namespace"]
    for query in QUERIES:
        names = re.findall(r"\b(?:atmpl|workqueue|controller_runtime|process|rest_client)_\w+", query)
        assert names, query
        assert [name for name in names if f'{name}{{namespace="$namespace"' not in query] == [], query
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}


def unit_of(query: str) -> str:
    """Return Grafana's unit that is right for a query by the unit of its metric, or "" if that has none."""
    if "_cpu_seconds_total" in query:
        return "none"  # seconds per second: cores
    if re.search(r"_seconds(_bucket)?\b", query):
        return "s"
    return "bytes" if "_bytes" in query else ""


def test_panel_has_the_unit_of_its_metric() -> None:
    units = {panel["title"]: panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS}
    rightly = {panel["title"]: unit_of(target["expr"]) for panel in PANELS for target in panel["targets"]}
    measured = {title: unit for title, unit in rightly.items() if unit}
    assert measured["CPU cores"] == "none"
    assert {title: units[title] for title in measured} == measured
