"""The controller ends before or after each of its calls, and each call has each fault.

Each scenario of `scenarios.py` and `scenarios_conflict.py` runs once per call and fault that differs in kind (a fifth of
them if answers come first or events late); if events come first, also with a seventh of the others, in turn (of rare
calls: with all). `just crash` (`--every`) tries all, and all pairs. In the end the cluster must be as without faults, and
no write follows.
"""

from collections.abc import Iterable, Iterator
from itertools import count, islice
from random import Random

import pytest

from tests.simulation.scenario import Scenario
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.scenarios_conflict import CONFLICTS
from tests.simulation.simulation import CALM, World
from tests.support import virtual_clock
from tests.support.faults import DIFFERENT, FAULTS, Call, Fault

ALL = SCENARIOS | CONFLICTS
ALIKE = {
    "the short form",
    "the native format",
    "OnChange, the native format",
}  # their calls equal those of another scenario
PlannedFault = tuple[int, Fault]  # the number of a call, and its fault

# Every fifth first fault has every eleventh second one, from another start in each scenario. Primes select each kind in turn.
FIRST_STRIDE, STRIDE = 5, 11
TURNS = 7  # every seventh of the faults that are like another one
DELAYED_TURNS = 5  # every fifth of the different faults, if answers come first or events late
DELAYS = {"events first": 0.0, "answers first": 0.003, "events late": 2.0}  # seconds until an event
RARE = {"DELETE request", "GET request", "POST review"}  # calls of two or three scenarios
NEAR = 3  # the second fault is at most so many calls after the first
STATUS_WRITES_PER_FAULT = 2  # the failure, and the recovery
SPOILS = (
    "500 request is too large"  # a server sends this only for a VM that is too large: it counts until the VM changes
)


async def run_scenario(scenario: Scenario, *planned: PlannedFault, delay: float = 0.0) -> World:
    """Run a scenario with these faults, and return its world."""
    faults = dict(planned)
    world = World(lambda call: faults.get(call.number), delay=delay)
    await scenario.run_in(world)
    return world


def varied(smooth: World) -> list[Call]:
    """Return a scenario's calls without repetitions: two equal calls in a row are enough."""
    calls = smooth.calls
    return [
        call
        for call in calls
        if call.number < 2 or {call.word} != {each.word for each in calls[call.number - 2 : call.number]}
    ]


def compared(scenario: Scenario, world: World, smooth: World, *faults: Fault) -> None:
    """Check that faults cost no write of a template, and few of the status."""
    if any(fault.name == SPOILS for fault in faults):
        return  # the VM was edited once more
    assert world.writes["POST template"] == scenario.creates
    assert scenario.patches <= world.writes["PATCH template"] <= scenario.patches + scenario.more
    assert world.writes["PATCH status"] <= smooth.writes["PATCH status"] + STATUS_WRITES_PER_FAULT * len(faults)


@pytest.mark.parametrize("delay", DELAYS.values(), ids=DELAYS)
@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_one_fault_changes_no_end(name: str, delay: float, every: bool) -> None:
    scenario, failures = ALL[name], []
    smooth = await run_scenario(scenario, delay=delay)
    compared(scenario, smooth, smooth)
    turn = count(list(ALL).index(name) + [*DELAYS.values()].index(delay))
    for call in varied(smooth):
        for fault in call.faults:
            if not every and not _has_turn(call, fault, next(turn), delayed=bool(delay)):
                continue
            try:
                compared(scenario, await run_scenario(scenario, (call.number, fault), delay=delay), smooth, fault)
            except AssertionError as error:
                failures.append(f"{call.number} {call.word}: {fault.name}: {error}")
    assert failures == []


def _has_turn(call: Call, fault: Fault, turn: int, *, delayed: bool) -> bool:
    if fault in DIFFERENT:
        return not delayed or turn % DELAYED_TURNS == 0
    return not delayed and (turn % TURNS == 0 or call.word in RARE)


@pytest.mark.parametrize("name", sorted(ALL.keys() - ALIKE))
@virtual_clock.virtual
async def test_two_faults_change_no_end(name: str, every: bool) -> None:
    scenario, failures = ALL[name], []
    smooth = await run_scenario(scenario)
    index = list(ALL).index(name)
    offset = count(index)
    firsts = _faults(varied(smooth), every=every)
    first_stride, stride = (1, 1) if every else (FIRST_STRIDE, STRIDE)
    for first, fault in islice(firsts, index % first_stride, None, first_stride):
        once = await run_scenario(scenario, (first.number, fault))
        pairs = _faults(once.calls[first.number + 1 : first.number + 1 + NEAR], every=every)
        for second, other in islice(pairs, next(offset) % stride, None, stride):
            try:
                world = await run_scenario(scenario, (first.number, fault), (second.number, other))
                compared(scenario, world, smooth, fault, other)
            except AssertionError as error:
                where = f"{first.number} {first.word}: {fault.name}; {second.number} {second.word}: {other.name}"
                failures.append(f"{where}: {error}")
    assert failures == []


def _faults(calls: Iterable[Call], *, every: bool) -> Iterator[tuple[Call, Fault]]:
    return ((call, fault) for call in calls for fault in call.faults if every or fault in DIFFERENT)


# Answers that block for longer than a scenario: five minutes each, or until a VM is edited.
LASTING = {"plain 404", SPOILS}


@pytest.mark.parametrize("seed", range(4))
@virtual_clock.virtual
async def test_four_faults_and_two_controllers_change_no_end(seed: int, every: bool) -> None:
    random = Random(seed)
    for _ in range(2_000 if every else 50):
        name = random.choice(sorted(ALL))
        planned: list[str] = []
        began = virtual_clock.now()

        def plan_next(call: Call, planned: list[str] = planned, began: float = began) -> Fault | None:
            # Later in a step, a fault that delays a request by 180 s would outlast it.
            is_late = (virtual_clock.now() - began) % CALM > CALM / 2
            if len(planned) == 4 or is_late or random.random() > 0.2:
                return None
            fault = random.choice([each for each in call.faults if each.name not in LASTING])
            planned.append(f"{call.number} {call.word}: {fault.name}")
            return fault

        world = World(plan_next, delay=random.choice([0.0, 0.003, 2.0]), lag=random.choice([0, 2]))
        try:
            await ALL[name].run_in(world, controllers=random.choice([1, 2]))
            assert world.writes["POST template"] == ALL[name].creates
        except AssertionError as error:
            pytest.fail(f"{name}, {planned}: {error}")


# The faults of a fresh request's three calls that its status reports before the recovery. The others cost no write.
REPORTED = {
    "GET vm": {"400", "401", "403", "410", "422", "500", SPOILS, "503", "504", "a page of HTML"}
    | {"reset", "timeout", "lost", "lost late"},
    "POST template": {"400", "401", "403", "410", "422", "500", SPOILS, "503", "504"}
    | {"a page of HTML", "reset", "timeout", "lost", "lost late"},
    "PATCH status": set(),
}


@virtual_clock.virtual
async def test_fresh_request_costs_two_writes() -> None:
    scenario = SCENARIOS["Once"]
    smooth = await run_scenario(scenario)
    assert [call.word for call in smooth.calls] == list(REPORTED)
    for call in smooth.calls:
        for fault in call.faults:
            world = await run_scenario(scenario, (call.number, fault))
            more = fault.name in REPORTED[call.word]
            assert world.writes == {"POST template": 1, "PATCH status": 1 + more}, f"{call.word}: {fault.name}"


@virtual_clock.virtual
async def test_retry_after_is_honoured() -> None:
    scenario = SCENARIOS["Once"]
    for number in range(3):
        times: list[float] = []
        world = World(lambda call, number=number: FAULTS["429"] if call.number == number else None)

        async def note(_: Call, times: list[float] = times) -> None:
            times.append(virtual_clock.now())

        world.before = note
        world.start()
        await scenario.steps(world)
        await world.stop()
        assert times[number + 1] - times[number] >= 7.0
