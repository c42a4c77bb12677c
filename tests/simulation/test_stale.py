"""Stale and missing events: a controller's stores show what a stream sent, and streams can be late, incomplete or suspended."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from atmpl.controller.objects import ObjectKey
from e2e.objects import condition, reason
from tests.simulation.scenario import GOLDEN, REQUEST, VM, Scenario, memory, rendered, silence
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.scenarios_conflict import CONFLICTS
from tests.simulation.simulation import World
from tests.support import virtual_clock
from tests.support.builders import a_request, a_vm, with_memory
from tests.support.fake_apiserver import Event
from tests.support.faults import Call
from tests.support.resources import REQUESTS, TEMPLATES, VMS, Resource

ALL = SCENARIOS | CONFLICTS
RELIST = 40.0  # seconds between two lists, in a world whose streams leave events out
SUSPENSIONS = 3  # every third suspension is tried, from another length at each version; `just crash` tries all
STALE_SECONDS = 20.0  # seconds that a controller works with what it knew before it was suspended


async def smooth(scenario: Scenario) -> World:
    world = World()
    await scenario.run_in(world)
    return world


@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_lagging_events_change_no_end(name: str, subtests: pytest.Subtests) -> None:
    for lag in (1, 2, 3, 5, 8):
        with subtests.test(lag=lag):
            world = World(lag=lag)
            await ALL[name].run_in(world)
            assert world.writes["POST template"] == ALL[name].creates


@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_next_list_repairs_a_lost_event(name: str) -> None:
    scenario, failures = ALL[name], []
    for event in (await smooth(scenario)).server.events:
        world = World(lost=frozenset({event.version}))
        _relist(world)
        try:
            await scenario.run_in(world)
            assert world.writes["POST template"] == scenario.creates
        except AssertionError as error:
            failures.append(f"{event.version} of {event.place.resource.kind}: {error}")
    assert failures == []


def _relist(world: World) -> None:
    for replica in world.replicas:
        replica.list()
    asyncio.get_running_loop().call_later(RELIST, _relist, world)


# With conflicts, a suspended replica can take the name that a user has just freed: only a lease prevents that.
@pytest.mark.parametrize("name", SCENARIOS)
@virtual_clock.virtual
async def test_suspended_controller_does_nothing_wrong(name: str, every: bool) -> None:
    scenario, failures = SCENARIOS[name], []
    last = (await smooth(scenario)).server.version
    step = 1 if every else SUSPENSIONS
    for first in range(last + 1):
        for resumed in range(first + 1 + first % step, last + 1, step):
            world = World()
            _suspend_replica(world, first, resumed)
            try:
                await scenario.run_in(world)
                assert world.writes["POST template"] == scenario.creates
            except AssertionError as error:
                failures.append(f"from {first} to {resumed}: {error}")
    assert failures == []


def _suspend_replica(world: World, first: int, resumed: int) -> None:
    """Have a second controller that knows the world as it was, and acts on that as the world moves on."""

    def on(event: Event) -> None:
        loop = asyncio.get_running_loop()
        if event.version == first:
            world.suspended_replica()
        if event.version == resumed:
            replica = world.replicas[-1]
            if replica.suspended:
                replica.resume()
                replica.suspended = True
                loop.call_later(STALE_SECONDS, setattr, replica, "suspended", False)
                loop.call_later(STALE_SECONDS, replica.catch_up)

    world.server.listeners.insert(0, on)


@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_resumed_controller_writes_nothing(name: str) -> None:
    world = World()
    replicas = [world.suspended_replica()]
    world.server.listeners.append(lambda _: replicas.append(world.suspended_replica()))
    world.start()
    await ALL[name].steps(world)
    version, made = world.server.version, len(world.calls)
    for replica in replicas:
        replica.resume()
    await world.settle()
    assert world.server.version == version, [call.word for call in world.calls[made:] if call.is_write]
    assert len(world.calls) > made
    await world.stop()
    assert world.breaches == []


@pytest.mark.parametrize("delay", [0.0, 0.003, 2.0], ids=["events first", "answers first", "events late"])
@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_two_active_controllers_end_as_one(name: str, delay: float) -> None:
    world = World(delay=delay)
    await ALL[name].run_in(world, controllers=2)
    assert world.writes["POST template"] == ALL[name].creates
    assert {call.replica for call in world.calls} == {0, 1}


# Made again under the same name, at each step


async def _once(world: World) -> None:
    world.server.create(a_vm())
    world.server.create(a_request())
    await world.settle()


async def _on_change(world: World) -> None:
    world.server.create(a_vm())
    world.server.create(a_request(refreshPolicy="OnChange"))
    await world.settle()
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await world.settle()


async def _ttl(world: World) -> None:
    world.server.create(a_vm())
    world.server.create(a_request(ttlSecondsAfterFinished=60))
    await world.settle()


async def _release(world: World) -> None:
    await _on_change(world)
    world.server.edit(REQUESTS, REQUEST, {"spec": {"refreshPolicy": "Once"}})
    await world.settle()


REPORTED: dict[str, Callable[[World], Awaitable[None]]] = {
    "Once": _once,
    "OnChange": _on_change,
    "a TTL": _ttl,
    "OnChange that becomes Once": _release,
}
PLACES = {"request": (REQUESTS, REQUEST), "VM": (VMS, VM), "template": (TEMPLATES, GOLDEN)}


def made_again(world: World, resource: Resource, key: ObjectKey) -> None:
    """Delete an object and create it again, as `kubectl replace --force` does."""
    there = world.server.get(resource, key)
    if there:
        world.server.delete(resource, key)
        kept = {
            field: there["metadata"][field]
            for field in ("name", "namespace", "labels", "annotations")
            if field in there["metadata"]
        }
        world.server.create({field: value for field, value in there.items() if field != "status"} | {"metadata": kept})


@pytest.mark.parametrize("what", PLACES)
@pytest.mark.parametrize("name", REPORTED)
@virtual_clock.virtual
async def test_recreated_object_is_never_mistaken_for_the_old_one(name: str, what: str) -> None:
    world = World()
    world.start()
    await REPORTED[name](world)
    await world.stop()
    for number in range(len(world.calls)):
        for when in ("before", "after"):
            again = World()

            async def happens(call: Call, number: int = number, again: World = again) -> None:
                if call.number == number:
                    made_again(again, *PLACES[what])

            setattr(again, when, happens)
            again.start()
            await REPORTED[name](again)
            await again.settle(3000)
            where = f"{when} call {number}, {world.calls[number].word}"
            assert again.breaches == [], where
            right(again, where, is_owned=what != "template")
            await silence(again)
            await again.stop()


def right(world: World, where: str, *, is_owned: bool) -> None:
    """Check that the present request, if any, is served or has a reason."""
    found = world.server.get(REQUESTS, REQUEST)
    if found is None:
        return
    assert len(world.templates()) == 1, where
    if reason(found) == "TargetConflict":
        assert "earlier request of this name" in condition(found)["message"], where
    elif found["spec"]["refreshPolicy"] == "OnChange":
        vm = world.server.get(VMS, VM)
        assert vm is not None
        instance = vm["spec"]["template"]["spec"]
        assert memory(rendered(world)) == instance["domain"]["resources"]["requests"]["memory"], where
        assert found["status"]["source"]["uid"] == vm["metadata"]["uid"], where
    elif is_owned:
        rendered(world)
    else:  # it was finished when its template, which is its user's, was made again
        assert reason(found) == "Rendered", where
