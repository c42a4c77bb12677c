"""Every promise of the README points to a test that is there, and every recipe that it names exists."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
README = (CHECKOUT / "README.md").read_text()
PROMISES = "## What atmpl promises, and the test that shows it"


def test_every_promise_links_to_a_test_that_is_there() -> None:
    table = README.partition(PROMISES)[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 20
    for row in rows:
        places = re.findall(r"\]\(([^)\s]+)\)", row)
        assert any("/test_" in place for place in places), f"no test shows it: {row}"
        assert [place for place in places if not (CHECKOUT / place).is_file()] == []


def test_every_recipe_that_is_named_exists() -> None:
    recipes = set(re.findall(r"^([a-z-]+)(?: \*?\w+)*:(?!=)", (CHECKOUT / "Justfile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`(?:\.venv/bin/)?just ([a-z-]+)", README))
    assert named - recipes == set()
    assert {"chaos", "storm"} <= named


def test_every_trial_of_a_storm_that_is_named_exists() -> None:
    from e2e.storm.__main__ import TRIALS

    assert set(re.findall(r"`just storm (\w+)`", README)) == set(TRIALS)
