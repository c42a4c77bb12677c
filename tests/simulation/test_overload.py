"""Flood: one that fails harms no other, and costs little itself; what changes all the time is followed once a second."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.kube.workqueue import CONFLICT_WAITS_SECONDS
from e2e.objects import reason
from tests.simulation.scenario import GOLDEN, REQUEST, VM, memory, rendered
from tests.simulation.simulation import Plan, World, nothing_happens
from tests.support import virtual_clock
from tests.support.builders import NAMESPACE, a_request, a_vm, with_memory
from tests.support.fake_apiserver import Event
from tests.support.faults import FAULTS, Call, Fault
from tests.support.resources import REQUESTS, TEMPLATES, VMS

HOUR = 3600.0
MANY = 1_000
LARGE = 100  # requests of a large VM
POISONED = ObjectKey(NAMESPACE, "poisoned")


def always(word: str, fault: Fault, name: str = "vm") -> Plan:
    """Give every such call this fault."""
    return lambda call: fault if call.word == word and (word != "GET vm" or call.place.key.name == name) else None


def on_rendered(world: World, act: Callable[[str], None]) -> None:
    """Call `act` with the name of each request whose status is written and reports Rendered."""

    def on(event: Event) -> None:
        if event.place.resource is REQUESTS and event.after and reason(event.after) == "Rendered":
            act(event.place.key.name)

    world.server.listeners.append(on)


def create_large_vm(world: World, name: str) -> None:
    """Create a VM whose template has more than 100 kB."""
    made = a_vm(name)
    made["spec"]["template"]["spec"]["hostname"] = "h" * 100_000
    world.server.create(made)


async def ticks(seconds: float, each: float = 0.01) -> AsyncIterator[int]:
    """Count a hundred times a second."""
    for number in range(round(seconds / each)):
        yield number
        await asyncio.sleep(each)


# One among many


async def seconds_for_many(plan: Plan) -> float:
    """Return how long a thousand requests take beside one whose VM cannot be read, and which is woken all the time."""
    world = World(plan, workers=64)
    queue = world.start().manager.queue
    world.server.create(a_vm())
    world.server.create(a_vm("poison"))
    world.server.create(a_request("poisoned", vm="poison", target="poisoned"))
    await world.settle(100)
    ready: list[float] = []
    on_rendered(world, lambda _: ready.append(virtual_clock.now()))
    began = virtual_clock.now()
    for number in range(MANY):
        world.server.create(a_request(f"request{number}", target=f"template{number}"))
    async for _ in ticks(2.0):
        queue.add(POISONED)
    assert len(ready) == MANY
    await world.stop()
    return ready[-1] - began


@pytest.fixture(scope="module")
def seconds_without() -> float:
    return virtual_clock.run(seconds_for_many(nothing_happens))


@pytest.mark.parametrize("fault", ["500", "timeout"])
def test_one_failing_vm_does_not_slow_a_thousand_others(fault: str, seconds_without: float) -> None:
    poison = always("GET vm", FAULTS[fault], "poison")
    assert virtual_clock.run(seconds_for_many(poison)) <= 1.05 * seconds_without


# Many with a large VM


@pytest.mark.parametrize(("workers", "at_once"), [(64, 8), (6, 3), (1, 1)])
@virtual_clock.virtual
async def test_large_templates_leave_workers_to_others(workers: int, at_once: int) -> None:
    world = World(workers=workers)
    world.start()
    writing: set[str] = set()  # the requests of the large VM whose template is being written
    most: list[int] = []
    ready: list[str] = []

    async def before(call: Call) -> None:
        if call.word in {"POST template", "PATCH template"} and call.place.key.name.startswith("large"):
            writing.add(call.place.key.name)
            most.append(len(writing))
            await asyncio.sleep(1.0)

    async def after(call: Call) -> None:
        writing.discard(call.place.key.name)

    world.before, world.after = before, after
    on_rendered(world, ready.append)
    create_large_vm(world, "large")
    world.server.create(a_vm())
    for number in range(LARGE):
        name = f"large{number}"
        world.server.create(a_request(name, vm="large", target=name, refreshPolicy="OnChange"))
    await world.settle(0.5)
    world.server.create(a_request())
    await world.settle(2 * LARGE)
    assert len(ready) == LARGE + 1
    assert max(most) == at_once
    assert workers == 1 or ready.index("request") <= at_once
    ready.clear()
    most.clear()
    world.server.edit(VMS, ObjectKey(NAMESPACE, "large"), with_memory("256Mi"))
    await world.settle(0.5)
    world.server.create(a_request("another", target="another"))
    await world.settle(2 * LARGE)
    assert len(ready) == LARGE + 1
    assert max(most) == at_once
    assert workers == 1 or ready.index("another") <= at_once
    reads = Counter(call.word for call in world.calls)["GET vm"]
    assert reads <= 2 * (LARGE + 1) + workers  # those that the first workers gave back
    await world.stop()


@virtual_clock.virtual
async def test_only_unfinished_requests_need_a_slot() -> None:
    world = World()
    replica = world.start()
    create_large_vm(world, "vm")
    world.server.create(a_request("refreshed", target="refreshed", refreshPolicy="OnChange"))
    world.server.create(a_request("finished"))
    world.server.create(a_request("unsupported", refreshPolicy="Weekly"))
    await world.settle()
    names = ["refreshed", "finished", "unsupported", "missing"]
    large = [name for name in names if replica.manager._is_large(ObjectKey(NAMESPACE, name))]
    await world.stop()
    assert large == ["refreshed"]


# One that fails for ever


ENDLESS = ["400", "401", "403", "403 of a terminating namespace", "409", "410", "422", "429", "500", "503", "504"]
ENDLESS += ["a page of HTML", "reset", "timeout"]
WORDS = {"the read of the VM": "GET vm", "the template": "POST template", "the status": "PATCH status"}


@pytest.mark.parametrize("what", WORDS)
@pytest.mark.parametrize("name", ENDLESS)
@virtual_clock.virtual
async def test_failing_request_is_tried_twenty_times_in_an_hour(name: str, what: str) -> None:
    world = World(always(WORDS[what], FAULTS[name]))
    world.start()
    world.server.create(a_vm())
    world.server.create(a_request())
    await world.settle(HOUR)
    tries = [call for call in world.calls if call.word == WORDS[what] and (call.cached or call.word != "GET vm")]
    await world.stop()
    at_once = (
        len(CONFLICT_WAITS_SECONDS) if name == "409" else 0
    )  # reconciled again at once, a few times, before it counts as failed
    assert len(tries) <= 20 + at_once
    assert world.writes["PATCH status"] <= 1


@virtual_clock.virtual
async def test_two_failing_controllers_do_not_enqueue_each_other() -> None:
    faults = [FAULTS["500"], FAULTS["503"]]
    tries: list[Call] = []

    def plan(call: Call) -> Fault | None:
        if call.word != "POST template":
            return None
        tries.append(call)
        return faults[len(tries) % 2]

    world = World(plan)
    for _ in range(2):
        world.start()
    world.server.create(a_vm())
    world.server.create(a_request())
    await world.settle(HOUR)
    await world.stop()
    assert {call.replica for call in tries} == {0, 1}
    assert len(tries) <= 2 * 20


# What changes all the time


@virtual_clock.virtual
async def test_constant_labelling_does_not_end_the_backoff() -> None:
    world = World()
    world.start()
    world.server.create(a_vm())
    world.server.create(a_request())
    async for number in ticks(10.0, each=0.0025):
        world.server.edit(REQUESTS, REQUEST, {"metadata": {"labels": {"number": str(number)}}})
    tries = [call.word for call in world.calls].count("PATCH status")
    assert (
        tries <= 1 + len(CONFLICT_WAITS_SECONDS) + 2 * 3
    )  # after 1, 3 and 7 s, and at once where it was labelled meanwhile
    await world.settle(20)
    rendered(world)
    await world.stop()


@virtual_clock.virtual
async def test_hundred_edits_a_second_are_rendered_once_a_second() -> None:
    world = World()
    world.start()
    world.server.create(a_vm())
    world.server.create(a_request(refreshPolicy="OnChange"))
    await world.settle()
    before, made = world.writes.copy(), len(world.calls)
    async for number in ticks(10.0):
        world.server.edit(VMS, VM, with_memory(f"{number}Mi"))
    during = [call.word for call in world.calls[made:]]
    await world.settle()
    assert 9 <= during.count("GET vm") <= 11
    assert world.writes["PATCH template"] - before["PATCH template"] <= 12
    assert world.writes["PATCH status"] - before["PATCH status"] <= 12
    assert memory(rendered(world)) == "999Mi"
    await world.stop()


@virtual_clock.virtual
async def test_hundred_drifts_a_second_are_repaired_once_a_second() -> None:
    world = World()
    world.start()
    world.server.create(a_vm())
    world.server.create(a_request(refreshPolicy="OnChange"))
    await world.settle()
    async for _ in ticks(10.0):
        world.server.edit(TEMPLATES, GOLDEN, {"parameters": []})
    await world.settle()
    assert world.writes["PATCH template"] <= 12
    assert memory(rendered(world)) == "128Mi"
    await world.stop()


@virtual_clock.virtual
async def test_waiting_request_is_not_rate_limited() -> None:
    world = World()
    world.start()
    world.server.create(a_request())
    await world.settle(0.1)
    assert reason(world.request()) == "SourceNotFound"
    world.server.create(a_vm())
    await world.settle(0.1)
    rendered(world)
    await world.stop()


@virtual_clock.virtual
async def test_events_do_not_shorten_retry_after() -> None:
    times: list[float] = []
    world = World(lambda call: FAULTS["429"] if call.word == "GET vm" else None)

    async def note(_: Call) -> None:
        times.append(virtual_clock.now())

    world.before = note
    world.start()
    world.server.create(a_vm())
    world.server.create(a_request())
    async for number in ticks(20.0):
        world.server.edit(VMS, VM, with_memory(f"{number}Mi"))
    await world.stop()
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [7, 7]
