"""Silence: a cluster in which all is done costs nothing, however often its streams are lost and its lists read again."""

from typing import NamedTuple

import pytest

from e2e.objects import reason
from tests.simulation.simulation import Replica, World
from tests.support import virtual_clock
from tests.support.builders import a_request, a_vm, key_of
from tests.support.fake_apiserver import ApiServer
from tests.support.resources import REQUESTS, TEMPLATES, VMS

MANY, VMS_OF_THEM = 200, 10  # more requests than the 64 workers
LISTS = 20


class Served(NamedTuple):
    """An API server with many requests that have all been served."""

    policy: str
    server: ApiServer


async def served(policy: str) -> Served:
    world = World(workers=64)
    replica = world.start()
    for number in range(VMS_OF_THEM):
        world.server.create(a_vm(f"vm{number}"))
    for number in range(MANY):
        name = f"request{number}"
        world.server.create(a_request(name, vm=f"vm{number % VMS_OF_THEM}", target=name, refreshPolicy=policy))
    await world.settle(60)
    assert {reason(found) for found in world.all(REQUESTS)} == {"Rendered"}
    assert world.writes == {"POST template": MANY, "PATCH status": MANY}
    assert is_quiet(replica)
    await world.stop()
    return Served(policy, world.server)


@pytest.fixture(scope="module", params=["Once", "OnChange"])
def all_done(request: pytest.FixtureRequest) -> Served:
    return virtual_clock.run(served(request.param))


def started(done: Served) -> tuple[World, Replica]:
    """Return a world in which all has been done, and a controller that has just started."""
    world = World(workers=64)
    world.server.objects = dict(done.server.objects)
    world.server.events = list(done.server.events)
    world.server.version = done.server.version
    return world, world.start()


def is_quiet(replica: Replica) -> bool:
    queue = replica.manager.queue
    return queue.is_idle and queue.delayed == 0


@virtual_clock.virtual
async def test_restart_makes_no_call(all_done: Served) -> None:
    world, replica = started(all_done)
    await world.settle()
    assert world.calls == []
    assert is_quiet(replica)
    await world.stop()


@virtual_clock.virtual
async def test_relists_of_finished_requests_enqueue_nothing(all_done: Served) -> None:
    world, replica = started(all_done)
    await world.settle(1)
    adds = replica.manager.queue.adds
    for number in range(LISTS):
        replica.list()
        if number % 10 == 0:
            await world.settle(1)
    await world.settle()
    assert world.calls == []
    assert is_quiet(replica)
    assert replica.manager.queue.adds == adds
    await world.stop()


@virtual_clock.virtual
async def test_relists_during_status_churn_cost_no_call(all_done: Served) -> None:
    """Between two lists (410) everything has another version: a VM's status churns, users label what is theirs."""
    world, replica = started(all_done)
    replica.suspended = True  # nothing but lists comes through
    for number in range(10):
        for vm in world.all(VMS):
            world.server.edit(VMS, key_of(vm), {"status": {"ready": number % 2 == 0}}, status=True)
        labels = {"metadata": {"labels": {"storm": str(number)}}}
        for found in world.all(REQUESTS)[number::20]:
            world.server.edit(REQUESTS, key_of(found), labels)
        if all_done.policy == "Once":
            for template in world.all(TEMPLATES)[number::20]:
                world.server.edit(TEMPLATES, key_of(template), labels)
        replica.list()
        await world.settle(1)
    assert world.calls == []
    assert is_quiet(replica)
    await world.stop()
