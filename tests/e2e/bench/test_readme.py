"""What the README says of the speed is what the run found whose figures lie beside the bench."""

from pathlib import Path

import msgspec
import pytest

from e2e.bench.__main__ import RESULTS
from e2e.bench.plot import plot
from e2e.bench.results import Results
from e2e.bench.table import drains, latencies, summary, targets_table
from e2e.bench.targets import targets

README = (Path(__file__).parents[3] / "README.md").read_text()
BENCH = msgspec.json.decode((RESULTS / "bench.json").read_bytes(), type=Results)
SHOWN = {
    "where it was measured": summary(BENCH),
    "the drains": drains(BENCH),
    "the latencies": latencies(BENCH),
    "the targets": targets_table(targets(BENCH)),
    "the plot": "](e2e/bench/results/bench.svg)",
}


@pytest.mark.parametrize("part", SHOWN)
def test_the_readme_shows(part: str) -> None:
    assert SHOWN[part] in README


def test_the_plot_is_of_the_same_run() -> None:
    assert (RESULTS / "bench.svg").read_text() == plot(BENCH)
