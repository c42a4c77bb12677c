"""What the README says of the speed is what the run found whose figures lie beside the bench."""

from pathlib import Path

import msgspec
import pytest

from e2e.bench.__main__ import RESULTS
from e2e.bench.plot import plot
from e2e.bench.profile_table import Profile, ServerProfile, profile_table, server_profile_table
from e2e.bench.results import Results
from e2e.bench.scale_results import Scale
from e2e.bench.scale_table import scale_figures
from e2e.bench.table import drains, latencies, summary, targets_table
from e2e.bench.targets import scale_targets, targets

README = (Path(__file__).parents[3] / "README.md").read_text()
BENCH = msgspec.json.decode((RESULTS / "bench.json").read_bytes(), type=Results)
SCALE = msgspec.json.decode((RESULTS / "scale.json").read_bytes(), type=Scale)
PROFILE = msgspec.json.decode((RESULTS / "profile.json").read_bytes(), type=Profile)
SERVER_PROFILE = msgspec.json.decode((RESULTS / "server-profile.json").read_bytes(), type=ServerProfile)
SHOWN = {
    "where it was measured": summary(BENCH),
    "the drains": drains(BENCH),
    "the latencies": latencies(BENCH),
    "the large cluster": scale_figures(SCALE),
    "the targets": targets_table([*targets(BENCH), *scale_targets(SCALE)]),
    "the plot": "](e2e/bench/results/bench.svg)",
    "the profile": profile_table(PROFILE),
    "the API server's profile": server_profile_table(SERVER_PROFILE),
    "the flame graph": "](e2e/bench/results/profile.svg)",
}


@pytest.mark.parametrize("part", SHOWN)
def test_the_readme_shows(part: str) -> None:
    assert SHOWN[part] in README


def test_the_plot_is_of_the_same_run() -> None:
    assert (RESULTS / "bench.svg").read_text() == plot(BENCH)
