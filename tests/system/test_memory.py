"""The memory of the workers is limited, however many requests have a large template. `just bench scale` has more VMs."""

import pytest

from e2e.bench import implementations
from e2e.bench.bench_cluster import bench_cluster
from e2e.bench.scale import LARGE_COMMANDS, large_templates


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # by this test's own client
async def test_memory_of_large_templates_is_limited() -> None:
    async with bench_cluster(fsync=False) as cluster:
        atmpl = implementations.atmpl(cluster.server, workers=64)
        assert await large_templates(cluster, atmpl, 64, LARGE_COMMANDS["a VM of 990 kB"], edits=0) < 200
