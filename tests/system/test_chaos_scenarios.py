"""What clusters do to controllers, each trial in its small form; all but one share an API server of their own.

The long forms are `just storm`.
"""

import asyncio
from collections.abc import Iterator

import pytest

from e2e.storm import Stage, staged
from e2e.storm.away import away
from e2e.storm.crowd import crowd
from e2e.storm.edits import edits
from e2e.storm.flood import flood
from e2e.storm.formats import formats


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One stage for all trials: a control plane costs seconds."""
    with asyncio.Runner() as runner:
        context = staged()
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


async def test_a_thousand_requests_of_one_vm_are_served_and_then_no_410_and_no_restart_writes_anything() -> None:
    async with staged(forgetful=True) as stage:
        report = await crowd(stage, requests=1_000, relists=3, restarts=2)
    assert report.wrong == []


async def test_while_the_server_is_away_all_are_healthy_and_none_hurries_and_then_all_goes_on(stage: Stage) -> None:
    report = await away(stage, seconds=6)
    assert report.wrong == []


async def test_a_poison_vm_among_good_ones_is_tried_a_few_times_and_slows_nobody(stage: Stage) -> None:
    report = await flood(stage, good=200)
    assert report.wrong == []


async def test_a_vm_edited_a_hundred_times_a_second_has_its_template_written_a_few_times_the_last_edit_included(
    stage: Stage,
) -> None:
    report = await edits(stage, seconds=10, rate=100, writes_per_second=2)
    assert report.figures["edits"] > 100
    assert report.wrong == []


async def test_requests_wait_for_a_format_that_appears_and_disappears_while_the_controller_runs(stage: Stage) -> None:
    report = await formats(stage, hasty=True)
    assert report.wrong == []
