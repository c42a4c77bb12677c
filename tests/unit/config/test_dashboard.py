"""The dashboard's panels, as JSON. `just alerts` checks their queries with promtool."""

import json
from pathlib import Path
from typing import Any

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "config" / "monitoring" / "dashboard.json").read_text()
)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


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
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    quantiles = [query for query in queries if "histogram_quantile" in query]
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
    for panel in PANELS:
        for target in panel["targets"]:
            assert 'namespace="$namespace"' in target["expr"], panel["title"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
