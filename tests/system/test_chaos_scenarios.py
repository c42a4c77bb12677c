"""The chaos scenarios in a small form. The long forms are `just chaos`."""

import asyncio
from collections.abc import Iterator

import pytest

from e2e.chaos import ChaosCluster, chaos_cluster
from e2e.chaos.backlog import backlog
from e2e.chaos.edits import edits
from e2e.chaos.outage import outage
from e2e.chaos.poison import poison
from e2e.chaos.template_api import template_api

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster() -> Iterator[ChaosCluster]:
    """One cluster for all trials: a control plane costs seconds."""
    with asyncio.Runner() as runner:
        context = chaos_cluster()
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


async def test_backlog_is_served_and_relists_write_nothing() -> None:
    async with chaos_cluster(forgetful=True) as cluster:
        report = await backlog(cluster, requests=500, relists=2, restarts=2)
    assert report.wrong == []


async def test_controllers_survive_an_outage(
    cluster: ChaosCluster,
) -> None:
    report = await outage(cluster, seconds=6)
    assert report.wrong == []


async def test_poison_vm_is_tried_as_backoff_allows(cluster: ChaosCluster) -> None:
    report = await poison(cluster, good=200)
    assert report.wrong == []


async def test_many_edits_are_written_a_few_times(
    cluster: ChaosCluster,
) -> None:
    report = await edits(cluster, seconds=10, rate=100, writes_per_second=2)
    assert report.figures["edits"] > 100
    assert report.wrong == []


async def test_requests_wait_for_a_template_api(
    cluster: ChaosCluster,
) -> None:
    report = await template_api(cluster, fast_timers=True)
    assert report.wrong == []
