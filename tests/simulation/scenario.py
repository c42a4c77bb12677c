"""The parts of all scenarios: wait until nothing happens, and check a request and its template."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from atmpl.controller.objects import ObjectKey
from atmpl.template.template_metadata import REQUEST_UID
from e2e.objects import condition, reason
from tests.simulation.simulation import CALM, World
from tests.support.builders import NAMESPACE, key_of
from tests.support.resources import REQUESTS, VMS, Object

VM, REQUEST, RIVAL, GOLDEN = (ObjectKey(NAMESPACE, name) for name in ("vm", "request", "rival", "golden"))

MAX_FAULTS = 2  # of a scenario
# Reasons that a server which lies once can bring about: they last until the VM changes, as they must.
FINAL_UNTIL_CHANGE = {"TooLarge", "SourceNotFound"}


class Scenario(NamedTuple):
    """What is done, and what must be so in the end. `creates` and `patches` are the writes of templates in between."""

    steps: Callable[[World], Awaitable[None]]
    check: Callable[[World], None]
    creates: int = 1
    patches: int = 0
    more: int = 0  # additional patches, which depend on the order

    async def run_in(self, world: World, controllers: int = 1) -> None:
        """Run all steps; then check the end, that no write follows, and stop."""
        for _ in range(controllers):
            world.start()
        try:
            await self.steps(world)
            self.check(world)
            await silence(world)
        finally:
            await world.stop()
        assert world.breaches == [], world.breaches


async def silence(world: World) -> None:
    """Check that a relist and a reconcile of all requests write nothing."""
    version, made = world.server.version, len(world.calls)
    world.relist()
    await world.settle()
    writes = [call.word for call in world.calls[made:] if call.is_write]
    assert writes == [], writes
    assert world.server.version == version


async def calm(world: World, seconds: float = CALM) -> None:
    """Wait until everything is done. If a wrong answer made the VM look invalid, touch the VM."""
    await world.settle(seconds)
    for _ in range(MAX_FAULTS):
        if not any(reason(found) in FINAL_UNTIL_CHANGE for found in world.all(REQUESTS)):
            break
        for vm in world.all(VMS):
            world.server.edit(VMS, key_of(vm), {"metadata": {"annotations": {"touched": str(world.server.version)}}})
        await world.settle(seconds)


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
    parameters = (template.get("spec") or template)["parameters"]
    [value] = [each["value"] for each in parameters if each["name"] == "REQUESTS_MEMORY"]
    return str(value)
