"""Both races and the large cluster, as small as they can be, on real servers: that they end in a report."""

import pytest

from e2e.bench.__main__ import options, run
from e2e.bench.plot import plot
from e2e.bench.scale import options as scale_options
from e2e.bench.scale import run as scale_run
from e2e.bench.scale_table import scale_report
from e2e.bench.table import report

pytestmark = pytest.mark.private


async def test_a_bench_of_a_few_requests_ends_in_a_report() -> None:
    args = options(["--requests=8", "--vms=4", "--repetitions=1", "--singles=2", "--paced=2", "--without-peer"])
    results = await run(args, lambda _: None)
    assert results.contestants() == ["bare loop", "atmpl"]
    assert {drain.calls for drain in results.drains} == {3}
    assert {(single.contestant, len(single.created)) for single in results.singles} == {("bare loop", 2), ("atmpl", 2)}
    assert [(paced.load, len(paced.latencies)) for paced in results.paced] == [(0.2, 2), (0.5, 2), (0.8, 2)]
    assert "| calls a request " in report(results)
    assert "8 requests drained by bare loop, atmpl" in plot(results)


async def test_a_small_large_cluster_ends_in_a_report() -> None:
    sizes = ["--vms=30", "--few=3", "--finished=4", "--fresh=2", "--quiet=1", "--events=3", "--repetitions=1"]
    found = await scale_run(scale_options(sizes), lambda _: None)
    assert (found.few, found.vms, found.listed.events) == (3, 30, 30)
    assert found.start.ready < found.start.served
    assert "calls on restart, in quiet and by VMs' status churn" in scale_report(found)
