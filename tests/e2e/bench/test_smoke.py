"""The large cluster, as small as it can be, on real servers: that it ends in a report."""

import pytest

from e2e.bench.scale import options, run
from e2e.bench.scale_table import scale_report

pytestmark = pytest.mark.private


async def test_a_small_large_cluster_ends_in_a_report() -> None:
    sizes = ["--vms=30", "--few=3", "--finished=4", "--fresh=2", "--quiet=1", "--events=3", "--repetitions=1"]
    found = await run(options(sizes), lambda _: None)
    assert (found.few, found.vms, found.listed.events) == (3, 30, 30)
    assert found.start.first < found.start.served
    assert found.start.ready > 0  # said in a log line, which may come after the work that it allowed
    assert "calls on restart, in quiet and by VMs' status churn" in scale_report(found)
