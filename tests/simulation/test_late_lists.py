"""Streams are independent: each list comes late, or never, and only what needs it waits for it."""

import asyncio

import pytest

from e2e.objects import reason
from tests.simulation.scenario import VM, memory, rendered
from tests.simulation.scenarios import SCENARIOS, once
from tests.simulation.scenarios_conflict import CONFLICTS
from tests.simulation.simulation import World
from tests.support import virtual_clock
from tests.support.builders import a_flat_request, a_request, a_vm, with_memory
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, VMS, Resource

ALL = SCENARIOS | CONFLICTS
LISTS: dict[str, tuple[Resource, ...]] = {
    "VMs": (VMS,),
    "OpenShift templates": (TEMPLATES,),
    "native templates": (NATIVE,),
    "all": (VMS, TEMPLATES, NATIVE),
}
NEEDS_NO_LIST = (  # scenarios in which nothing is refreshed and every format is served
    "Once",
    "the short form",
    "the native format",
    "a request before its VM",
    "a source elsewhere",
    "a template in the way",
    "an orphaned template",
    "a TTL",
    "OnChange that becomes Once",
    "OnChange that becomes Once, with a TTL",
)


@pytest.mark.parametrize("lists", LISTS)
@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_late_list_changes_no_end(name: str, lists: str, subtests: pytest.Subtests) -> None:
    for late in (0.5, 300.0):
        with subtests.test(late=late):
            world = World(unlisted=LISTS[lists])
            asyncio.get_running_loop().call_later(late, world.list_late)
            await ALL[name].run_in(world)
            assert world.writes["POST template"] == ALL[name].creates


@pytest.mark.parametrize("lists", LISTS)
@pytest.mark.parametrize("name", NEEDS_NO_LIST)
@virtual_clock.virtual
async def test_missing_list_stops_no_first_rendering(name: str, lists: str) -> None:
    world = World(unlisted=LISTS[lists])
    await ALL[name].run_in(world)
    assert world.writes["POST template"] == ALL[name].creates


@pytest.mark.parametrize("lists", ["VMs", "OpenShift templates", "all"])
@virtual_clock.virtual
async def test_refresh_waits_for_its_lists_and_makes_no_call(lists: str) -> None:
    world = World(unlisted=LISTS[lists])
    world.start()
    await once(world, a_request(refreshPolicy="OnChange"))
    assert memory(rendered(world)) == "128Mi"
    calls = len(world.calls)
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await world.settle()
    assert len(world.calls) == calls
    world.list_late()
    await world.settle()
    assert memory(rendered(world)) == "256Mi"
    await world.stop()
    assert world.breaches == []


@virtual_clock.virtual
async def test_refresh_does_not_wait_for_the_other_format() -> None:
    world = World(unlisted=[TEMPLATES])
    world.start()
    await once(world, a_flat_request(format="template.kubevirt.io/v1beta1", refreshPolicy="OnChange"))
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await world.settle()
    assert memory(world.templates()[0]) == "256Mi"
    await world.stop()


@pytest.mark.parametrize("gone", [False, True], ids=["VM present", "VM deleted"])
@pytest.mark.parametrize("lists", LISTS)
@virtual_clock.virtual
async def test_restart_makes_no_call_before_or_after_late_lists(lists: str, gone: bool) -> None:
    world = World()
    world.start()
    await once(world, a_request(refreshPolicy="OnChange"))
    if gone:
        world.server.delete(VMS, VM)
        await world.settle()
    await world.stop()
    calls, world.unlisted = len(world.calls), set(LISTS[lists])
    world.start()
    await world.settle()
    world.list_late()
    await world.settle()
    assert [call.word for call in world.calls[calls:]] == []
    await world.stop()


@pytest.mark.parametrize("lists", LISTS)
@virtual_clock.virtual
async def test_vm_deleted_while_down_is_found_by_a_late_list(lists: str) -> None:
    world = World()
    world.start()
    await once(world, a_request(refreshPolicy="OnChange"))
    await world.stop()
    world.server.delete(VMS, VM)
    world.unlisted = set(LISTS[lists])
    world.start()
    await world.settle()
    world.list_late()
    await world.settle()
    assert [warning["reason"] for warning in world.request()["status"]["warnings"]] == ["SourceGone"]
    await world.stop()


@virtual_clock.virtual
async def test_format_counts_as_unserved_only_if_its_stream_agrees() -> None:
    world = World(unlisted=[TEMPLATES])
    world.server.unserved.add(TEMPLATES)
    world.start()
    await once(world)
    assert reason(world.request()) == "Failed"
    world.list_late()
    await world.settle()
    assert reason(world.request()) == "FormatUnavailable"
    world.serve(TEMPLATES, yes=True)
    await world.settle()
    rendered(world)
    await world.stop()


@virtual_clock.virtual
async def test_missing_vm_is_found_without_its_stream_in_a_minute() -> None:
    world = World(unlisted=[VMS])
    world.start()
    world.server.create(a_request())
    await world.settle()
    assert reason(world.request()) == "SourceNotFound"
    world.server.create(a_vm())
    await world.settle(61)
    rendered(world)
    await world.stop()


@pytest.mark.parametrize("missing", [False, True], ids=["VM edited", "VM created"])
@virtual_clock.virtual
async def test_change_that_one_request_reads_first_reaches_the_others(missing: bool) -> None:
    """The second request reads the VM before its event comes, which then shows nothing new."""
    world = World(delay=2.0)
    world.start()
    if not missing:
        world.server.create(a_vm())
    world.server.create(a_request(refreshPolicy="OnChange"))
    await world.settle()
    if missing:
        world.server.create(a_vm(memory="256Mi"))
    else:
        world.server.edit(VMS, VM, with_memory("256Mi"))
    world.delay = 0.0
    second = a_request(refreshPolicy="OnChange", metadata={"name": "second"})
    second["spec"]["target"] = {"openshiftTemplate": {"name": "second"}}
    world.server.create(second)
    world.replicas[0].feeds[REQUESTS].catch_up()
    await world.settle()
    assert [memory(template) for template in world.templates()] == ["256Mi", "256Mi"]
    await world.stop()
