"""Every crash: the controller ends before or after each of its calls, and each call meets each fate there is.

Each story of `stories.py` and `rivals.py` is told once for each of its calls and each fate. Where events come late, and
with two mishaps, a selection is told of the fates that differ in kind; `just crash` (`--every`) tells all of it.
In the end the world must be as if nothing had happened, and quiet.
"""

from itertools import count, islice
from random import Random

import pytest

from tests.simulation.scenario import Story
from tests.simulation.scenarios import STORIES
from tests.simulation.scenarios_conflict import RIVALS
from tests.simulation.simulation import World
from tests.support import virtual_clock
from tests.support.faults import DIFFERENT, FATES, Call, Fate

ALL = STORIES | RIVALS
ALIKE = {"the flat form", "the native format", "OnChange, the native format"}  # to another story, call by call
Dealt = tuple[int, Fate]  # the number of a call, and its fate

STRIDE = 7  # of the pairs that are told; a prime that meets each kind of pair in turn
NEAR = 3  # calls after the first mishap among which the second one falls
SAID = 2  # writes of the status that a mishap may cost: what went wrong, and that it is well again
SPOILS = "500 request is too large"  # what a server says only of a VM that is too large: it counts until the VM changes


async def told(story: Story, *dealt: Dealt, delay: float = 0.0) -> World:
    """Tell a story with these mishaps, and return its world."""
    fates = dict(dealt)
    world = World(lambda call: fates.get(call.number), delay=delay)
    await story.told_in(world)
    return world


def varied(smooth: World) -> list[Call]:
    """Return a story's calls without the looks that repeat: of a row of them, two are enough."""
    calls = smooth.calls
    return [
        call
        for call in calls
        if call.number < 2 or {call.word} != {each.word for each in calls[call.number - 2 : call.number]}
    ]


def compared(story: Story, world: World, smooth: World, *fates: Fate) -> None:
    """See that mishaps have cost no write of a template, and few of the status."""
    if any(fate.name == SPOILS for fate in fates):
        return  # a person has had to edit the VM once more
    assert world.writes["POST template"] == story.creates
    assert story.patches <= world.writes["PATCH template"] <= story.patches + story.more
    assert world.writes["PATCH status"] <= smooth.writes["PATCH status"] + SAID * len(fates)


@pytest.mark.parametrize("delay", [0.0, 0.003, 2.0], ids=["events first", "answers first", "events late"])
@pytest.mark.parametrize("name", ALL)
@virtual_clock.virtual
async def test_one_fault_changes_no_end(name: str, delay: float, every: bool) -> None:
    story, failures = ALL[name], []
    smooth = await told(story, delay=delay)
    compared(story, smooth, smooth)
    for call in varied(smooth):
        for fate in (each for each in call.fates if every or not delay or each in DIFFERENT):
            try:
                compared(story, await told(story, (call.number, fate), delay=delay), smooth, fate)
            except AssertionError as error:
                failures.append(f"{call.number} {call.word}: {fate.name}: {error}")
    assert failures == []


@pytest.mark.parametrize("name", sorted(ALL.keys() - ALIKE))
@virtual_clock.virtual
async def test_two_faults_change_no_end(name: str, every: bool) -> None:
    story, failures = ALL[name], []
    smooth = await told(story)
    offset = count()
    for first in varied(smooth):
        for fate in (each for each in first.fates if every or each in DIFFERENT):
            once = await told(story, (first.number, fate))
            near = once.calls[first.number + 1 : first.number + 1 + NEAR]
            pairs = ((call, each) for call in near for each in call.fates if every or each in DIFFERENT)
            for second, other in islice(pairs, next(offset) % STRIDE, None, STRIDE) if not every else pairs:
                try:
                    world = await told(story, (first.number, fate), (second.number, other))
                    compared(story, world, smooth, fate, other)
                except AssertionError as error:
                    where = f"{first.number} {first.word}: {fate.name}; {second.number} {second.word}: {other.name}"
                    failures.append(f"{where}: {error}")
    assert failures == []


# Answers that a story would wait for, for longer than it tells of: five minutes each, or until a VM is edited.
LASTING = {"plain 404", SPOILS}


@pytest.mark.parametrize("seed", range(4))
@virtual_clock.virtual
async def test_four_faults_and_two_controllers_change_no_end(seed: int, every: bool) -> None:
    random = Random(seed)
    for _ in range(2_000 if every else 50):
        name = random.choice(sorted(ALL))
        dealt: list[str] = []

        def deal(call: Call, dealt: list[str] = dealt) -> Fate | None:
            if len(dealt) == 4 or random.random() > 0.2:
                return None
            fate = random.choice([each for each in call.fates if each.name not in LASTING])
            dealt.append(f"{call.number} {call.word}: {fate.name}")
            return fate

        world = World(deal, delay=random.choice([0.0, 0.003, 2.0]), lag=random.choice([0, 2]))
        try:
            await ALL[name].told_in(world, controllers=random.choice([1, 2]))
            assert world.writes["POST template"] == ALL[name].creates
        except AssertionError as error:
            pytest.fail(f"{name}, {dealt}: {error}")


# Of a fresh request's three calls, the mishaps that its status tells of before all is well. The others cost no write.
TOLD = {
    "GET vm": {"400", "401", "403", "410", "422", "500", SPOILS, "503", "504", "a page of HTML"}
    | {"reset", "timeout", "lost", "lost late"},
    "POST template": {"400", "401", "403", "410", "422", "500", SPOILS, "503", "504"}
    | {"a page of HTML", "reset", "timeout", "lost", "lost late"},
    "PATCH status": set(),
}


@virtual_clock.virtual
async def test_fresh_request_costs_two_writes() -> None:
    story = STORIES["Once"]
    smooth = await told(story)
    assert [call.word for call in smooth.calls] == list(TOLD)
    for call in smooth.calls:
        for fate in call.fates:
            world = await told(story, (call.number, fate))
            more = fate.name in TOLD[call.word]
            assert world.writes == {"POST template": 1, "PATCH status": 1 + more}, f"{call.word}: {fate.name}"


@virtual_clock.virtual
async def test_retry_after_is_honoured() -> None:
    story = STORIES["Once"]
    for number in range(3):
        times: list[float] = []
        world = World(lambda call, number=number: FATES["429"] if call.number == number else None)

        async def note(_: Call, times: list[float] = times) -> None:
            times.append(virtual_clock.now())

        world.before = note
        world.start()
        await story.tell(world)
        await world.stop()
        assert times[number + 1] - times[number] >= 7.0
