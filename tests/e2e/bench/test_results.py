"""What is computed from the figures."""

import msgspec
import pytest

from e2e.bench.results import Results, percentile
from tests.e2e.bench.results import results


@pytest.mark.parametrize(
    ("part", "value"),
    [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (1.0, 4.0), (0.01, 1.0)],
)
def test_a_percentile_is_the_nearest_rank_and_always_a_value_that_was_measured(part: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], part) == value


def test_a_ratio_compares_neighbours_so_that_a_machine_that_grows_slower_meanwhile_does_not_matter() -> None:
    assert results().ratio("atmpl", "bare loop", "rate") == pytest.approx(0.925)  # of 95/100 and 180/200


def test_results_come_back_from_their_file() -> None:
    assert msgspec.json.decode(msgspec.json.encode(results()), type=Results) == results()
