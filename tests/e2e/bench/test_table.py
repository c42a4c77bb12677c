"""The report that people read."""

from e2e.bench.table import drains, latencies, markdown, summary, targets_table
from e2e.bench.targets import targets
from tests.e2e.bench.results import results


def test_columns_line_up_and_figures_stand_to_the_right() -> None:
    assert markdown(["who", "rate"], [["atmpl", "9"], ["bare loop", "100"]]).splitlines() == [
        "| who       | rate |",
        "|-----------|-----:|",
        "| atmpl     |    9 |",
        "| bare loop |  100 |",
    ]


def test_a_row_says_medians_extremes_and_ratios() -> None:
    row = drains(results()).splitlines()[3]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "atmpl",
        "138",
        "95-180",
        "0.93",
        "1.60 ms",
        "1.60",
        "6.00 ms",
        "71 MiB",
        "43 MiB",
        "0.90 s",
    ]


def test_the_bare_loop_has_no_idle_memory_and_no_start() -> None:
    assert drains(results()).splitlines()[2].count(" - |") == 2


def test_latencies_stand_by_load_with_both_percentiles() -> None:
    table = latencies(results())
    assert "at 20% (16/s)" in table
    assert "12.0 / 30.0 ms" in table
    assert "300.0 / 2000.0 ms" in table
    assert "bare loop's three calls" in table


def test_the_machine_is_described() -> None:
    assert "2 cores of Abacus 3, 16 GiB, Linux 6.1; Kubernetes v1.36.2, Python 3.11.7, aiohttp 3.14" in summary(
        results()
    )


def test_a_target_that_is_missed_stands_out() -> None:
    found = {target.what: target for target in targets(results())}
    assert not found["drain rate, to the bare loop"].reached  # 0.925
    assert found["own CPU a request, to the bare loop"].reached  # 1.6 exactly
    assert found["latency of a single request, to the bare loop's three calls"].found == 1.2
    table = targets_table(targets(results())).splitlines()
    assert [line.split("|")[4].strip() for line in table if line.startswith("| drain rate, to the bare")] == ["**no**"]
