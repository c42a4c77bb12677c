"""Memory: what the workers hold at once is limited, however many requests have a large VM."""

import pytest

from e2e.bench import implementations
from e2e.bench.bench_cluster import bench_cluster
from e2e.bench.scale import large_vm


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # by this test's own client
async def test_memory_of_refreshes_of_a_large_vm_is_limited() -> None:
    async with bench_cluster(fsync=False) as cluster:
        first, refreshed = await large_vm(cluster, implementations.atmpl(cluster.server, workers=64), 64)
    assert first < 200
    assert refreshed < 200
