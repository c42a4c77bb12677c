"""What persons do with one request, step by step, and how the world must be when it is over, whatever went wrong."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from atmpl.controller.key import Key
from atmpl.template.provenance import REFRESH, REQUEST_UID
from tests.controller.admission import binding, policy
from tests.controller.kinds import REQUESTS, TEMPLATES, VMS, Object
from tests.controller.objects import (
    NAMESPACE,
    a_flat_request,
    a_request,
    a_template,
    a_vm,
    condition,
    reason,
    with_memory,
)
from tests.controller.world import World

VM, REQUEST, GOLDEN = Key(NAMESPACE, "vm"), Key(NAMESPACE, "request"), Key(NAMESPACE, "golden")

# Reasons that a server which lies once can bring about: they last until the VM changes, as they must.
BELIEVED = {"TooLarge", "SourceNotFound"}


class Story(NamedTuple):
    """What is done, and what must be so in the end. `creates` and `patches` are the writes of templates in between."""

    tell: Callable[[World], Awaitable[None]]
    check: Callable[[World], None]
    creates: int = 1
    patches: int = 0


async def calm(world: World) -> None:
    """Wait until everything is done. Where an answer made believe that the VM is no good, touch the VM."""
    await world.settle()
    found = world.server.get(REQUESTS, REQUEST)
    if found and reason(found) in BELIEVED and world.server.get(VMS, VM):
        world.server.edit(VMS, VM, {"metadata": {"annotations": {"touched": str(world.server.version)}}})
        await world.settle()


def rendered(world: World, template: str = "golden") -> Object:
    """Check that the request is served in full, and return its template."""
    found = world.request()
    status, made = found["status"], world.template(template)
    assert reason(found) == "Rendered", condition(found)
    assert condition(found)["status"] == "True"
    assert condition(found, "Stalled") == {}
    assert status["observedGeneration"] == found["metadata"]["generation"]
    assert condition(found)["observedGeneration"] == found["metadata"]["generation"]
    assert status["templateRef"]["uid"] == made["metadata"]["uid"]
    assert made["metadata"]["labels"][REQUEST_UID] == found["metadata"]["uid"]
    assert world.templates() == [made]
    return made


def memory(template: Object) -> str:
    """What the template's parameter of that name defaults to."""
    [value] = [each["value"] for each in template["parameters"] if each["name"] == "REQUESTS_MEMORY"]
    return str(value)


# Once


async def once(world: World, request: Object | None = None) -> None:
    world.server.create(a_vm())
    world.server.create(request or a_request())
    await calm(world)


def done_once(world: World) -> None:
    made = rendered(world)
    assert REFRESH not in made["metadata"]["labels"]
    assert "rendered" not in world.request()["status"]


async def flat(world: World) -> None:
    await once(world, a_flat_request())


async def native(world: World) -> None:
    await once(world, a_flat_request(format="template.kubevirt.io/v1beta1"))


def done_native(world: World) -> None:
    [made] = world.templates()
    found = world.request()
    assert reason(found) == "Rendered"
    assert made["kind"] == "VirtualMachineTemplate"
    assert found["status"]["templateRef"]["uid"] == made["metadata"]["uid"]


async def waiting(world: World) -> None:
    world.server.create(a_request())
    await world.settle()
    assert reason(world.request()) == "SourceNotFound"
    await once_more_with_a_vm(world)


async def once_more_with_a_vm(world: World) -> None:
    world.server.create(a_vm())
    await calm(world)


async def elsewhere(world: World) -> None:
    for obj in (policy(), binding()):
        world.server.create(obj | {"metadata": {"name": obj["metadata"]["name"], "namespace": ""}})
    await world.settle(60)
    world.server.create(a_vm(namespace="team-b"))
    asked = a_request()
    asked["spec"]["source"]["vmNamespace"] = "team-b"
    world.server.create(asked)
    await calm(world)
    if reason(world.request()) in BELIEVED:
        world.server.edit(VMS, Key("team-b", "vm"), {"metadata": {"annotations": {"touched": "yes"}}})
        await world.settle()


def done_elsewhere(world: World) -> None:
    rendered(world)
    assert condition(world.request(), "Authorized")["status"] == "True"


async def hindered(world: World) -> None:
    world.server.create(a_template(labels={"team": "db"}))
    world.server.create(a_vm())
    world.server.create(a_request())
    await world.settle(100)
    if reason(world.request()) != "TargetConflict":
        await calm(world)
    assert reason(world.request()) == "TargetConflict"
    assert world.template()["metadata"]["labels"] == {"team": "db"}
    world.server.delete(TEMPLATES, GOLDEN)
    await calm(world)


# TTL


async def ttl(world: World) -> None:
    await once(world, a_request(ttlSecondsAfterFinished=3600))
    done_once(world)
    await world.settle(3700)


def expired(world: World) -> None:
    assert world.server.get(REQUESTS, REQUEST) is None
    assert len(world.templates()) == 1


# OnChange


async def on_change(world: World) -> None:
    await once(world, a_request(refreshPolicy="OnChange"))
    rendered(world)
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await calm(world)
    assert memory(rendered(world)) == "256Mi"
    drift = {"metadata": {"labels": {"team": "db"}}, "parameters": []}
    world.server.edit(TEMPLATES, GOLDEN, drift)
    await calm(world)


def kept_in_step(world: World) -> None:
    made = rendered(world)
    assert memory(made) == "256Mi"
    assert made["metadata"]["labels"]["team"] == "db"
    assert made["metadata"]["labels"][REFRESH] == "OnChange"
    assert world.request()["status"]["rendered"]["templateResourceVersion"] == made["metadata"]["resourceVersion"]


async def deleted_template(world: World) -> None:
    await once(world, a_request(refreshPolicy="OnChange"))
    world.server.delete(TEMPLATES, GOLDEN)
    await calm(world)


def made_again(world: World) -> None:
    assert memory(rendered(world)) == "128Mi"


async def gone(world: World) -> None:
    await once(world, a_request(refreshPolicy="OnChange"))
    world.server.delete(VMS, VM)
    await world.settle()


def source_gone(world: World) -> None:
    made = rendered(world)
    assert memory(made) == "128Mi"
    assert [warning["reason"] for warning in world.request()["status"]["warnings"]] == ["SourceGone"]


async def back(world: World) -> None:
    await gone(world)
    source_gone(world)
    world.server.create(a_vm(memory="256Mi"))
    await calm(world)


def followed(world: World) -> None:
    assert memory(rendered(world)) == "256Mi"
    assert world.request()["status"]["warnings"] == []


async def release(world: World) -> None:
    await once(world, a_request(refreshPolicy="OnChange"))
    rendered(world)
    world.server.edit(REQUESTS, REQUEST, {"spec": {"refreshPolicy": "Once"}})
    await calm(world)
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await world.settle()


def let_go(world: World) -> None:
    done_once(world)
    assert memory(world.template()) == "128Mi"


STORIES = {
    "Once": Story(once, done_once),
    "the flat form": Story(flat, done_once),
    "the native format": Story(native, done_native),
    "a request before its VM": Story(waiting, done_once),
    "a source elsewhere": Story(elsewhere, done_elsewhere),
    "a template in the way": Story(hindered, done_once),
    "a TTL": Story(ttl, expired),
    "OnChange": Story(on_change, kept_in_step, patches=2),
    "OnChange, the template deleted": Story(deleted_template, made_again, creates=2),
    "OnChange, the VM deleted": Story(gone, source_gone),
    "OnChange, the VM made again": Story(back, followed, patches=1),
    "OnChange that becomes Once": Story(release, let_go, patches=1),
}
