"""Every crash: the controller ends before or after each of its calls, and each call meets each fate there is.

Exhaustively: each story of `stories.py` is told once for each of its calls and each fate, and again with two of them.
In the end the world must be as if nothing had happened, and quiet.
"""

import pytest

from tests import clock
from tests.controller.fates import DIFFERENT, FATES, Call, Fate
from tests.controller.stories import STORIES, Story
from tests.controller.world import World

Dealt = tuple[int, Fate]  # the number of a call, and its fate

NEAR = 3  # calls after the first mishap among which the second one falls
SAID = 2  # writes of the status that a mishap may cost: what went wrong, and that it is well again
SPOILS = "500 request is too large"  # what a server says only of a VM that is too large: it counts until the VM changes


async def told(story: Story, *dealt: Dealt, delay: float = 0.0) -> World:
    """Tell a story to its end, and return its world: checked, quiet and stopped."""
    fates = dict(dealt)
    world = World(lambda call: fates.get(call.number), delay=delay)
    world.start()
    try:
        await story.tell(world)
        story.check(world)
        await silence(world)
    finally:
        await world.stop()
    assert world.breaches == []
    return world


async def silence(world: World) -> None:
    """See that everything can be listed and judged anew, and nothing is written."""
    version, made = world.server.version, len(world.calls)
    world.relist()
    await world.settle()
    assert [call.word for call in world.calls[made:] if call.is_write] == []
    assert world.server.version == version


def template_writes(world: World) -> tuple[int, int]:
    return world.writes["POST template"], world.writes["PATCH template"]


def compared(world: World, smooth: World, *fates: Fate) -> None:
    """See that mishaps have cost no write of a template, and few of the status."""
    if not any(fate.name == SPOILS for fate in fates):
        assert template_writes(world) == template_writes(smooth)
    assert world.writes["PATCH status"] <= smooth.writes["PATCH status"] + SAID * len(fates)


@pytest.mark.parametrize("delay", [0.0, 0.003, 2.0], ids=["events first", "answers first", "events late"])
@pytest.mark.parametrize("name", STORIES)
@clock.virtual
async def test_a_story_with_one_mishap_ends_as_without(name: str, delay: float) -> None:
    story, failures = STORIES[name], []
    smooth = await told(story, delay=delay)
    assert template_writes(smooth) == (story.creates, story.patches)
    for call in smooth.calls:
        for fate in call.fates:
            try:
                compared(await told(story, (call.number, fate), delay=delay), smooth, fate)
            except AssertionError as error:
                failures.append(f"{call.number} {call.word}: {fate.name}: {error}")
    assert failures == []


@pytest.mark.parametrize("name", sorted(STORIES.keys() - {"the flat form", "the native format"}))  # the calls of "Once"
@clock.virtual
async def test_a_story_with_two_mishaps_ends_as_without(name: str) -> None:
    story, failures = STORIES[name], []
    smooth = await told(story)
    for first in smooth.calls:
        for fate in (each for each in first.fates if each in DIFFERENT):
            once = await told(story, (first.number, fate))
            for second in once.calls[first.number + 1 : first.number + 1 + NEAR]:
                for other in (each for each in second.fates if each in DIFFERENT):
                    try:
                        world = await told(story, (first.number, fate), (second.number, other))
                        compared(world, smooth, fate, other)
                    except AssertionError as error:
                        where = f"{first.number} {first.word}: {fate.name}; {second.number} {second.word}: {other.name}"
                        failures.append(f"{where}: {error}")
    assert failures == []


# Of a fresh request's three calls, the mishaps that its status tells of before all is well. The others cost no write.
TOLD = {
    "GET vm": {"400", "401", "403", "422", "500", SPOILS, "503", "a page of HTML"}
    | {"reset", "timeout", "lost", "lost late"},
    "POST template": {"400", "401", "403", "plain 404", "410", "422", "500", SPOILS, "503", "504"}
    | {"a page of HTML", "reset", "timeout", "lost", "lost late"},
    "PATCH status": set(),
}


@clock.virtual
async def test_a_fresh_request_costs_two_writes_and_one_more_for_a_mishap_that_is_told() -> None:
    story = STORIES["Once"]
    smooth = await told(story)
    assert [call.word for call in smooth.calls] == list(TOLD)
    for call in smooth.calls:
        for fate in call.fates:
            world = await told(story, (call.number, fate))
            more = fate.name in TOLD[call.word]
            assert world.writes == {"POST template": 1, "PATCH status": 1 + more}, f"{call.word}: {fate.name}"


@clock.virtual
async def test_a_server_that_says_when_to_come_again_is_left_alone_until_then() -> None:
    story = STORIES["Once"]
    for number in range(3):
        times: list[float] = []
        world = World(lambda call, number=number: FATES["429"] if call.number == number else None)

        async def note(_: Call, times: list[float] = times) -> None:
            times.append(clock.now())

        world.before = note
        world.start()
        await story.tell(world)
        await world.stop()
        assert times[number + 1] - times[number] >= 7.0
