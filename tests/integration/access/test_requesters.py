"""Rights that change after a request was created: what becomes of it, by its requester and by the policy.

The intervals between access checks are short here (e2e/chaos/fast_timers.py): the check at creation counts for 1 s.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from e2e.controller import Controller
from e2e.envtest import Client, Server
from e2e.objects import namespace, reason
from tests.integration.access.policy import (
    BINDING,
    POLICY,
    await_latest_admission,
    outlast_the_grace,
    put_in_force,
    remove,
)
from tests.integration.access.rbac_helpers import GET_VMS, MAKE, RBAC, REQUEST_RIGHTS, await_admission, is_refused, may

REQUESTERS = ("absent", "present", "forged")  # spec.requester, as the author sends it
PLACES = ("same", "other")  # the namespace of the VM
EVENTS = {  # the VM and the author's right to get it, after the creation of the request: its refresh policy
    "late": "Once",  # the VM appears late
    "late-revoked": "Once",  # and the right was revoked before
    "edited": "OnChange",
    "edited-revoked": "OnChange",
    "recreated-revoked": "OnChange",  # another namespace is deleted and created again too, as for another tenant
}
ADMIN = {"username": "admin", "groups": ["system:masters", "system:authenticated"]}

SERVED = "served"  # Rendered, with the VM as it is after the event
REFUSED = "refused"  # by the API server, when the request is created
DENIED, MISSING, REVOKED = "CrossNamespaceDenied", "PolicyMissing", "AccessRevoked"


class Cell(NamedTuple):
    requester: str
    place: str
    event: str

    def __str__(self) -> str:
        return "-".join(self)  # the name of the request, and of its template

    @property
    def user(self) -> str:
        return "loser" if self.event.endswith("revoked") else "keeper"


CELLS = [*map(Cell._make, itertools.product(REQUESTERS, PLACES, EVENTS))]


def in_force(cell: Cell) -> str:
    """Return the outcome while the policy is in force."""
    if cell.requester == "forged":
        return REFUSED
    if cell.requester == "present":
        return REVOKED if cell.user == "loser" else SERVED
    # Documented limits: without a requester, no right is checked again. A VM that appeared later is another VM.
    return REVOKED if cell.place == "other" and not cell.event.startswith("edited") else SERVED


def not_in_force(cell: Cell) -> str:
    """Return the outcome if the policy was edited or deleted after the creation."""
    if cell.requester == "forged":
        return REFUSED
    return MISSING if cell.place == "same" else DENIED


def applied_again(cell: Cell) -> str:
    """Return the outcome if the policy was deleted and applied again: a documented limit for the same namespace."""
    if cell.requester == "forged":
        return REFUSED
    return SERVED if cell.place == "same" else DENIED


def applied_later(cell: Cell) -> str:
    """Return the outcome if the policy was absent at the creation: no recorded requester is trusted."""
    return SERVED if cell.place == "same" else DENIED


async def long_in_force(admin: Client) -> None:
    await put_in_force(admin)
    await outlast_the_grace(admin)


async def absent(admin: Client) -> None:
    await remove(admin, BINDING, POLICY)


async def unchanged(admin: Client) -> None:
    """Leave the policy as it is."""


async def edit(admin: Client) -> None:
    await admin.patch(POLICY, {"spec": {"validations": [{"expression": "true"}]}})


async def apply_again(admin: Client) -> None:
    await absent(admin)
    await put_in_force(admin)


class State(NamedTuple):
    before: Callable[[Client], Awaitable[None]]  # at the creation of the requests
    after: Callable[[Client], Awaitable[None]]
    expected: Callable[[Cell], str]


STATES = {
    "in force": State(long_in_force, unchanged, in_force),
    "edited": State(long_in_force, edit, not_in_force),
    "deleted": State(long_in_force, absent, not_in_force),
    "deleted and applied again": State(long_in_force, apply_again, applied_again),
    "absent, applied later": State(absent, put_in_force, applied_later),
}


def vm(namespace: str, name: str, marker: str) -> dict[str, Any]:
    seed = {"name": "seed", "cloudInitNoCloud": {"userData": marker}}
    spec = {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}, "volumes": [seed]}}}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec}


class Scene:
    """Three namespaces: with the requests, with VMs, and one that is deleted and created again."""

    def __init__(self, server: Server, admin: Client, prefix: str) -> None:
        self.server, self.admin = server, admin
        self.home, self.away, self.moved = (f"{prefix}-{name}" for name in ("home", "away", "moved"))
        self.requests = f"/apis/ssp.kubevirt.io/v1alpha1/namespaces/{self.home}/virtualmachinetemplaterequests"
        self.templates = f"/apis/template.openshift.io/v1/namespaces/{self.home}/templates"

    def namespace_of(self, cell: Cell) -> str:
        if cell.place == "same":
            return self.home
        return self.moved if cell.event.startswith("recreated") else self.away

    async def prepare(self) -> None:
        for name in (self.home, self.away, self.moved):
            await self.admin.create(namespace(name))
            for event in EVENTS:
                if not event.startswith("late"):
                    await self.admin.create(vm(name, event, "the first"))
            for user in ("keeper", "loser"):
                for item in may(user, f"see-{user}", [GET_VMS], name):
                    await self.admin.create(item)
        for user in ("keeper", "loser"):
            for item in may(user, f"ask-{user}", [REQUEST_RIGHTS, *MAKE.values()], self.home):
                await self.admin.create(item)

    def request(self, cell: Cell) -> dict[str, Any]:
        own = {"username": cell.user, "groups": ["system:authenticated"]}
        requester = {"present": {"requester": own}, "forged": {"requester": ADMIN}, "absent": {}}[cell.requester]
        source = {"vmName": cell.event, "vmNamespace": self.namespace_of(cell)}
        return {
            "apiVersion": "ssp.kubevirt.io/v1alpha1",
            "kind": "VirtualMachineTemplateRequest",
            "metadata": {"name": str(cell)},
            "spec": {
                "source": source,
                "target": {"openshiftTemplate": {}},
                "refreshPolicy": EVENTS[cell.event],
                **requester,
            },
        }

    async def create_requests(self) -> dict[Cell, str]:
        """Create all requests as their authors. Return the outcome of each: `REFUSED`, or nothing yet."""
        outcomes = {}
        for user in ("keeper", "loser"):
            async with self.server.client(user) as client:
                for cell in CELLS:
                    if cell.user == user:
                        refused = await is_refused(client, self.requests, self.request(cell))
                        outcomes[cell] = REFUSED if refused else ""
        return outcomes

    async def admission(self, *, refused: bool) -> None:
        """Wait until the API server admits by the policy and the roles as they are now."""
        await await_latest_admission(self.admin)
        probe = Cell("forged", "same", "late")
        async with self.server.client("keeper") as keeper:
            await await_admission(keeper, self.requests, self.request(probe), refused=refused)

    async def happen(self) -> None:
        """Revoke the rights of `loser`, and create, edit or create again each VM."""
        bindings = f"/apis/{RBAC}/v1/namespaces"
        for name in (self.home, self.away):
            await self.admin.delete(f"{bindings}/{name}/rolebindings/see-loser")
        await self.admin.delete(f"/api/v1/namespaces/{self.moved}")
        await self.admin.until(f"/api/v1/namespaces/{self.moved}", lambda it: it is None)
        await self.admin.create(namespace(self.moved))
        await asyncio.sleep(3)  # the check at creation no longer counts
        for name in (self.home, self.away, self.moved):
            collection = f"/apis/kubevirt.io/v1/namespaces/{name}/virtualmachines"
            for event in EVENTS:
                changed = vm(name, event, "the second")
                if event.startswith("edited") and name != self.moved:
                    await self.admin.patch(f"{collection}/{event}", {"spec": changed["spec"]})
                    continue
                if event.startswith("recreated") and name != self.moved:
                    await self.admin.delete(f"{collection}/{event}")
                await self.admin.create(changed)

    async def outcome(self, cell: Cell, expected: str) -> str:
        """Return the outcome of a request: the expected one, or the one after a timeout."""
        wanted = "Rendered" if expected == SERVED else expected
        try:
            if expected == SERVED:
                await self.admin.until(f"{self.templates}/{cell}", lambda it: b"the second" in orjson.dumps(it))
            await self.admin.until(f"{self.requests}/{cell}", lambda it: reason(it) == wanted)
        except TimeoutError:
            return reason(await self.admin.get(f"{self.requests}/{cell}"))
        return expected

    async def seen(self) -> set[str]:
        """Return the names of the templates that show a VM as it is after the event."""
        items = (await self.admin.get(self.templates))["items"]
        return {it["metadata"]["name"] for it in items if b"the second" in orjson.dumps(it)}


@pytest.mark.parametrize("name", STATES)
async def test_changed_rights_are_followed(name: str, guarded: Server, account: Path, admin: Client) -> None:
    state = STATES[name]
    expected = {cell: state.expected(cell) for cell in CELLS}
    scene = Scene(guarded, admin, f"requesters-{[*STATES].index(name)}")
    await scene.prepare()
    await state.before(admin)
    refuses = REFUSED in expected.values()
    await scene.admission(refused=refuses)
    found = await scene.create_requests()
    controller = Controller(account, "--policy=Required", module="e2e.chaos.fast_timers")
    await asyncio.to_thread(controller.__enter__)
    try:
        for cell in CELLS:
            if not found[cell]:
                await admin.until(f"{scene.requests}/{cell}", lambda it: reason(it) != "")
        await state.after(admin)
        await scene.happen()
        pending = [cell for cell in CELLS if not found[cell]]
        outcomes = await asyncio.gather(*(scene.outcome(cell, expected[cell]) for cell in pending))
        found |= dict(zip(pending, outcomes, strict=True))
        assert found == expected
        assert await scene.seen() == {str(cell) for cell in CELLS if expected[cell] == SERVED}
    finally:
        await asyncio.to_thread(controller.stop)
        await put_in_force(admin)
