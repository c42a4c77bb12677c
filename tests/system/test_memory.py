"""The memory of the workers is limited, however many requests have a large template."""

import pytest

from e2e.bench import implementations
from e2e.bench.bench_cluster import bench_cluster
from e2e.bench.scale import LARGE_COMMANDS, large_templates


@pytest.mark.parametrize("vm", LARGE_COMMANDS)
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # by this test's own client
async def test_memory_of_large_templates_is_limited(vm: str) -> None:
    async with bench_cluster(fsync=False) as cluster:
        atmpl = implementations.atmpl(cluster.server, workers=64)
        assert await large_templates(cluster, atmpl, 64, LARGE_COMMANDS[vm], edits=0) < 200
