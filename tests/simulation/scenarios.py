"""The steps of users with one request, and the expected end, with any fault in between."""

from atmpl.controller.objects import ObjectKey
from atmpl.template.template_metadata import REFRESH, REQUEST_UID
from atmpl.template.template_metadata import REQUEST as REQUEST_NAME
from e2e.objects import condition, reason
from tests.simulation.scenario import (
    FINAL_UNTIL_CHANGE,
    GOLDEN,
    MAX_FAULTS,
    REQUEST,
    VM,
    Scenario,
    calm,
    memory,
    rendered,
)
from tests.simulation.simulation import World
from tests.support.admission import binding, policy
from tests.support.builders import (
    a_flat_request,
    a_request,
    a_template,
    a_vm,
    with_memory,
)
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, VMS, Object

EDITED = {"description": "Use it well.", "tags": "db"}

# Once


async def once(world: World, request: Object | None = None) -> None:
    world.server.create(a_vm())
    world.server.create(request or a_request())
    await calm(world)


def done_once(world: World) -> None:
    made = rendered(world)
    assert REFRESH not in made["metadata"]["labels"]
    assert "rendered" not in world.request()["status"]


async def short_form(world: World) -> None:
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
    world.server.create(a_vm())
    await calm(world)


async def elsewhere(world: World, refresh_policy: str = "Once") -> None:
    for obj in (policy(), binding()):
        world.server.create(obj | {"metadata": {"name": obj["metadata"]["name"], "namespace": ""}})
    await world.settle(60)
    world.server.create(a_vm(namespace="team-b"))
    world.server.create(request_elsewhere(refresh_policy))
    await calm(world)


def request_elsewhere(refresh_policy: str) -> Object:
    request = a_request(refreshPolicy=refresh_policy)
    request["spec"]["source"]["vmNamespace"] = "team-b"
    return request


async def late_elsewhere(world: World) -> None:
    """A VM of another namespace is created long after a request that does not record its requester."""
    for obj in (policy(), binding()):
        world.server.create(obj | {"metadata": {"name": obj["metadata"]["name"], "namespace": ""}})
    await world.settle(60)
    world.server.create(request_elsewhere("Once"))
    await world.settle(100)
    world.server.create(a_vm(namespace="team-b"))
    await calm(world)
    assert reason(world.request()) == "AccessRevoked"
    assert condition(world.request(), "Stalled")["status"] == "True"
    assert world.templates() == []
    world.server.delete(REQUESTS, REQUEST)
    world.server.create(request_elsewhere("Once"))
    await calm(world)


async def forged_source(world: World) -> None:
    """A user removes the uid of the source from the status, and another tenant creates a VM of its name."""
    await elsewhere(world, "OnChange")
    done_elsewhere(world)
    vm = ObjectKey("team-b", "vm")
    world.server.delete(VMS, vm)
    await world.settle(100)
    world.server.edit(REQUESTS, REQUEST, {"status": {"source": None}}, status=True)
    world.server.create(a_vm(namespace="team-b", memory="256Mi"))
    await calm(world)
    assert reason(world.request()) == "AccessRevoked"
    assert memory(world.template()) == "128Mi"
    world.server.delete(REQUESTS, REQUEST)
    world.server.delete(TEMPLATES, GOLDEN)
    world.server.create(request_elsewhere("OnChange"))
    await calm(world)


async def revoked(world: World) -> None:
    """The requester loses the right to read the VM, and gets it back."""
    for obj in (policy(), binding()):
        world.server.create(obj | {"metadata": {"name": obj["metadata"]["name"], "namespace": ""}})
    await world.settle(60)
    world.server.create(a_vm(namespace="team-b"))
    posted = a_request(refreshPolicy="OnChange", requester={"username": "alice"})
    posted["spec"]["source"]["vmNamespace"] = "team-b"
    world.server.create(posted)
    await calm(world)
    rendered(world)
    vm = ObjectKey("team-b", "vm")
    world.server.denied.add(("alice", vm))
    world.server.edit(VMS, vm, with_memory("256Mi"))
    await calm(world)
    assert reason(world.request()) == "AccessRevoked"
    assert condition(world.request(), "Stalled")["status"] == "True"
    assert memory(world.template()) == "128Mi"
    world.server.denied.clear()
    await calm(world)


def done_elsewhere(world: World) -> None:
    rendered(world)
    assert condition(world.request(), "Authorized") == {}


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


async def unserved(world: World) -> None:
    world.serve(TEMPLATES, yes=False)
    world.server.create(a_vm())
    world.server.create(a_request())
    await calm(world)
    assert reason(world.request()) == "FormatUnavailable"
    world.serve(TEMPLATES, yes=True)
    await calm(world)


async def orphaned_template(world: World) -> None:
    """A request is deleted and made again while its template is on its way; with that, what it was made of changes."""
    world.server.create(a_request())
    await world.settle()
    assert reason(world.request()) == "SourceNotFound"
    labels, annotations = {REQUEST_UID: "one-that-was", REFRESH: "OnChange"}, {REQUEST_NAME: str(REQUEST)}
    world.server.create(a_template(labels=labels, annotations=annotations))
    world.server.create(a_vm())
    await calm(world)


async def created_again(world: World) -> None:
    """A user edits the metadata of a template; then its request is deleted and created again."""
    await once(world)
    done_once(world)
    world.server.edit(TEMPLATES, GOLDEN, {"metadata": {"annotations": EDITED}})
    for _ in range(1 + MAX_FAULTS):
        world.server.delete(REQUESTS, REQUEST)
        world.server.create(a_request())
        await world.settle()
        if (
            reason(world.request()) not in FINAL_UNTIL_CHANGE
        ):  # `calm` would change the VM, and then the template differs from it
            break


def edits_kept(world: World) -> None:
    done_once(world)
    annotations = world.template()["metadata"]["annotations"]
    assert {key: annotations[key] for key in EDITED} == EDITED


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


async def native_on_change(world: World) -> None:
    await once(world, a_flat_request(format="template.kubevirt.io/v1beta1", refreshPolicy="OnChange"))
    done_native(world)
    world.server.edit(VMS, VM, with_memory("256Mi"))
    await calm(world)
    assert memory(world.templates()[0]) == "256Mi"
    world.server.edit(NATIVE, GOLDEN, {"spec": {"parameters": []}})
    await calm(world)


def native_in_step(world: World) -> None:
    done_native(world)
    assert memory(world.templates()[0]) == "256Mi"


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


def followed_elsewhere(world: World) -> None:
    assert memory(rendered(world)) == "256Mi"


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


async def release_with_a_ttl(world: World) -> None:
    await once(world, a_request(refreshPolicy="OnChange"))
    rendered(world)
    world.server.edit(REQUESTS, REQUEST, {"spec": {"refreshPolicy": "Once", "ttlSecondsAfterFinished": 600}})
    await world.settle(599)
    assert world.request()  # though it has been Ready for longer than that
    await world.settle(2000)


SCENARIOS = {
    "Once": Scenario(once, done_once),
    "the short form": Scenario(short_form, done_once),
    "the native format": Scenario(native, done_native),
    "a request before its VM": Scenario(waiting, done_once),
    "a source elsewhere": Scenario(elsewhere, done_elsewhere),
    "a late VM elsewhere": Scenario(late_elsewhere, done_elsewhere),
    "a source that the status hides": Scenario(forged_source, done_elsewhere, creates=2),
    "a template in the way": Scenario(hindered, done_once),
    "a format that comes": Scenario(unserved, done_once),
    "an orphaned template": Scenario(orphaned_template, done_once, creates=0, patches=1),
    "a request created again": Scenario(created_again, edits_kept, patches=1),
    "a TTL": Scenario(ttl, expired),
    "OnChange": Scenario(on_change, kept_in_step, patches=2),
    "OnChange, the native format": Scenario(native_on_change, native_in_step, patches=2),
    "OnChange, the template deleted": Scenario(deleted_template, made_again, creates=2),
    "OnChange, the VM deleted": Scenario(gone, source_gone),
    "OnChange, the VM made again": Scenario(back, followed, patches=1),
    "a right that is revoked": Scenario(revoked, followed_elsewhere, patches=1),
    "OnChange that becomes Once": Scenario(release, let_go, patches=1),
    "OnChange that becomes Once, with a TTL": Scenario(release_with_a_ttl, expired, patches=1),
}
