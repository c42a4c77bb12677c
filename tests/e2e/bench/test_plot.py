"""The picture."""

from xml.etree import ElementTree as ET

import msgspec

from e2e.bench.plot import plot
from tests.e2e.bench.results import results

SVG = "{http://www.w3.org/2000/svg}"


def test_it_is_one_well_formed_picture_that_says_what_it_shows() -> None:
    root = ET.fromstring(plot(results()))
    assert root.tag == f"{SVG}svg"
    said = [element.text for element in root.iter(f"{SVG}text")]
    for words in ("Requests a second", "Own CPU a request, ms", "Memory, MiB", "at 80%, 64 requests/s", "300 - 2000"):
        assert words in said
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "2,000 requests drained by bare loop, atmpl"


def test_everything_is_inside_the_frame() -> None:
    root = ET.fromstring(plot(results()))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for bar in root.iter(f"{SVG}rect"):
        assert 0 <= float(bar.attrib["x"]) <= float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= height
    for dot in root.iter(f"{SVG}circle"):
        assert 0 <= float(dot.attrib["cx"]) <= width
        assert 0 <= float(dot.attrib["cy"]) <= height


def test_every_colour_of_the_dark_scheme_has_a_light_one() -> None:
    style = ET.fromstring(plot(results())).findtext(f"{SVG}style") or ""
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    for kind in (".series0", ".series1", ".series2", ".series3", ".series4", ".soft", ".rule", ".dot", "text"):
        assert f"{kind} {{" in light
        assert f"{kind} {{" in dark


def test_without_latencies_their_panel_is_left_out() -> None:
    assert "by load" not in plot(msgspec.structs.replace(results(), paced=[], singles=[]))
