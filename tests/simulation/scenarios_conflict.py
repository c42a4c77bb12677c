"""Two requests for one name: one gets it, and the other waits for it without a touch."""

from atmpl.template.template_metadata import REQUEST_UID
from e2e.objects import condition, reason
from tests.simulation.scenario import GOLDEN, REQUEST, RIVAL, VM, Scenario, calm, memory
from tests.simulation.simulation import World
from tests.support.builders import a_request, a_vm, key_of, with_memory
from tests.support.resources import REQUESTS, TEMPLATES, VMS, Object

DECIDED = ["Rendered", "TargetConflict"]


async def rivals(world: World) -> None:
    world.server.create(a_vm())
    for key in (REQUEST, RIVAL):
        world.server.create(a_request(key.name))
    winner, loser = await _settled(world)
    assert str(key_of(winner)) in condition(loser)["message"]
    first = world.template()
    assert first["metadata"]["labels"][REQUEST_UID] == winner["metadata"]["uid"]
    assert winner["status"]["templateRef"]["uid"] == first["metadata"]["uid"]
    assert world.templates() == [first]
    world.server.delete(TEMPLATES, GOLDEN)
    await calm(world)
    [second] = world.templates()
    assert second["metadata"]["labels"][REQUEST_UID] == loser["metadata"]["uid"]
    assert world.request(loser["metadata"]["name"])["status"]["templateRef"]["uid"] == second["metadata"]["uid"]


async def rivals_of_another_kind(world: World) -> None:
    """The one that is kept in step would repair what is not its own, if it ever took it for its own."""
    world.server.create(a_vm())
    world.server.create(a_request())
    world.server.create(a_request(RIVAL.name, refreshPolicy="OnChange"))
    winner, loser = await _settled(world)
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await calm(world, 150)
    in_step = winner["spec"]["refreshPolicy"] == "OnChange"
    assert memory(world.template()) == ("256Mi" if in_step else "128Mi")
    world.server.delete(REQUESTS, key_of(winner))
    world.server.delete(TEMPLATES, GOLDEN)
    await calm(world)
    [made] = world.templates()
    assert made["metadata"]["labels"][REQUEST_UID] == loser["metadata"]["uid"]
    assert memory(made) == "256Mi"


async def _settled(world: World) -> list[Object]:
    """Wait until one has the name and the other reports it, and return them in this order."""
    await calm(world, 150)
    if sorted(map(reason, world.all(REQUESTS))) != DECIDED:  # for example, one answer denied that the format exists
        await calm(world)
    both = sorted(world.all(REQUESTS), key=reason)
    assert [reason(found) for found in both] == DECIDED
    return both


def both_served(world: World) -> None:
    assert [reason(found) for found in world.all(REQUESTS)] == ["Rendered"] * len(world.all(REQUESTS))


CONFLICTS = {
    "two for one name": Scenario(rivals, both_served, creates=2),
    "two for one name, one of them OnChange": Scenario(rivals_of_another_kind, both_served, creates=2, more=1),
}
