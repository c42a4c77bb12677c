"""What the README points to is there."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text()
PROMISES = "## What atmpl promises, and the test that shows it"


def _places(text: str) -> list[str]:
    """The files that a text links to, without anchors; links into the web are not ours to try."""
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [place for place in (link.partition("#")[0] for link in links) if place and "://" not in place]


def test_every_link_leads_somewhere() -> None:
    places = _places(README)
    assert [place for place in places if not (CHECKOUT / place).exists()] == []
    assert len(places) > 10


def test_every_anchor_is_a_heading() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_every_promise_links_to_a_test() -> None:
    table = README.partition(PROMISES)[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
    assert [row for row in rows if not any("/test_" in place for place in _places(row.rpartition(" | ")[2]))] == []
    assert len(rows) > 10


def test_every_recipe_that_is_named_exists() -> None:
    recipes = set(re.findall(r"^([a-z-]+)(?: \*?\w+)*:(?!=)", (CHECKOUT / "Justfile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`(?:\.venv/bin/)?just ([a-z-]+)", README))
    assert named - recipes == set()
