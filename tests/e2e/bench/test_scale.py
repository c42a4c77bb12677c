"""What is said of a run among very many virtual machines."""

import msgspec

from e2e.bench.scale_results import Scale
from e2e.bench.scale_table import scale_figures, scale_report
from e2e.bench.targets import scale_targets
from tests.e2e.bench.scale_results import scale


def test_a_quiet_hour_is_reckoned_from_minutes() -> None:
    assert scale().quiet.hour == 2.0  # 0.1 s in 3 minutes


def test_what_a_request_costs_is_compared_turn_by_turn() -> None:
    assert scale().reconciles.ratio == 1.05  # of 1.05, 1.2 and 1.0


def test_figures_stand_with_their_units() -> None:
    rows = dict(
        [cell.strip() for cell in line.strip("|").split("|")] for line in scale_figures(scale()).splitlines()[2:]
    )
    assert rows["start to ready, among 100,000 virtual machines"] == "4.00 s"
    assert rows["peak memory, draining 10,000 requests among 100,000"] == "180 MiB"
    assert rows["CPU of a quiet hour, from 180 s"] == "2.0 s"
    assert rows["CPU of a VM in a list that says nothing new"] == "30 us"
    assert rows["CPU of a request that comes, among 1,000"] == "1.00 ms"
    assert rows["that, to that; least-most of 3 turns"] == "1.00-1.20"


def test_what_was_measured_and_where_is_said() -> None:
    said = scale_report(scale())
    assert (
        "100,000 virtual machines of 2,154 bytes of metadata each, 10,000 finished requests, 1,000 fresh ones" in said
    )
    assert "2 cores of Abacus 3" in said


def test_each_target_is_held_against_its_figure() -> None:
    found = {target.what: (target.found, target.reached) for target in scale_targets(scale())}
    assert found == {
        "a VM of a stream of 100,000 that says nothing new, us of CPU": (30, True),
        "memory that such a stream leaves behind, MiB": (0.2, True),
        "calls on restart, in quiet and by VMs' status churn": (0, True),
        "cost of a request among many VMs, to that among few": (1.05, True),
        "peak memory, draining 10,000 requests, MiB": (120, True),
        "peak memory, 100,000 VMs and 10,000 requests, MiB": (190, True),
    }
    worse = msgspec.structs.replace(scale(), listed=scale().listed._replace(unchanged=40.1))
    assert [target.what for target in scale_targets(worse) if not target.reached] == [
        "a VM of a stream of 100,000 that says nothing new, us of CPU"
    ]


def test_results_come_back_from_their_file() -> None:
    assert msgspec.json.decode(msgspec.json.encode(scale()), type=Scale) == scale()
