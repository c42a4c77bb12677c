"""Who gets which VM as a template, through every state of the policy, by the real controller on the real API server."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson
import pytest

from e2e.controller import Controller
from e2e.envtest import ApiError, Client, Server
from tests.integration.access.policy import await_latest_admission
from tests.integration.access.policy_states import (
    DENIED,
    MADE,
    MISSING,
    REFUSED,
    RIGHTS,
    STATES,
    State,
)
from tests.integration.access.rbac_helpers import GET_VMS, MAKE, REQUEST_RIGHTS, await_admission, is_refused, may

VM = "fedora"
FORMATS = {  # format: its target, its word in the short form, and where its templates are
    "openshift": ("openshiftTemplate", "template.openshift.io/v1", "templates"),
    "native": ("virtualMachineTemplate", "template.kubevirt.io/v1beta1", "virtualmachinetemplates"),
}
FORMS = ("long", "short")
PLACES = ("same", "other")  # the namespace of the source


class Cell(NamedTuple):
    right: str
    place: str
    form: str
    format: str

    def __str__(self) -> str:
        return "-".join(self)  # the name of the request, and of its template


# The short form has no namespace: its source is in the request's.
CELLS = [
    cell
    for cell in map(Cell._make, itertools.product(RIGHTS, PLACES, FORMS, FORMATS))
    if (cell.form, cell.place) != ("short", "other")
]
# With another state of the policy: each right and place once, and the other form and format once.
FEW = [cell for cell in CELLS if (cell.form, cell.format) == ("long", "openshift")]
FEW += [Cell("that-vm", "same", "short", "openshift"), Cell("that-vm", "other", "long", "native")]


def request(cell: Cell, away: str, *, policy: str = "Once", form: str | None = None) -> dict[str, Any]:
    target, word, _ = FORMATS[cell.format]
    if (form or cell.form) == "short":
        spec: dict[str, Any] = {"vmName": VM, "format": word}
    else:
        source = {"vmName": VM} if cell.place == "same" else {"vmName": VM, "vmNamespace": away}
        spec = {"source": source, "target": {target: {}}}
    kind = {"apiVersion": "ssp.kubevirt.io/v1alpha1", "kind": "VirtualMachineTemplateRequest"}
    return kind | {"metadata": {"name": str(cell)}, "spec": spec | {"refreshPolicy": policy}}


class Scene:
    """Two namespaces, a VM of the same name in each, and a user for each right."""

    def __init__(self, server: Server, admin: Client) -> None:
        self.server = server
        self.admin = admin
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "access-"}}
        self.home, self.away = [(await self.admin.create(namespace))["metadata"]["name"] for _ in PLACES]
        self.requests = f"/apis/ssp.kubevirt.io/v1alpha1/namespaces/{self.home}/virtualmachinetemplaterequests"
        for place in (self.home, self.away):
            await self.admin.create(vm(place, f"marker of {place}"))
        rights = {"that-vm": GET_VMS | {"resourceNames": [VM]}, "its-namespace": GET_VMS}
        for user in RIGHTS:
            objects = may(user, f"ask-{user}", [REQUEST_RIGHTS, *MAKE.values()], self.home)
            if user in rights:
                objects += may(user, f"see-{user}", [rights[user]], self.home)
                objects += may(user, f"see-{user}", [rights[user]], self.away)
            if user == "the-cluster":
                objects += may(user, f"see-{self.home}", [GET_VMS], None)
            for one in objects:
                await self.admin.create(one)
        clients = {user: self.server.client(user) for user in RIGHTS}
        self.users = {user: await self._stack.enter_async_context(client) for user, client in clients.items()}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        for place in (self.home, self.away):
            await self.admin.delete(f"/api/v1/namespaces/{place}")

    async def admission(self, *, refused: bool) -> None:
        """Wait until the API server admits by the policy and the roles as they are now."""
        await await_latest_admission(self.admin)
        probe = request(Cell("nothing", "other", "long", "openshift"), self.away)
        await await_admission(self.users["nothing"], self.requests, probe, refused=refused)

    async def create_request(self, cell: Cell, *, policy: str = "Once") -> bool:
        """Post the cell's request as its author; whether it is there."""
        return not await is_refused(self.users[cell.right], self.requests, request(cell, self.away, policy=policy))

    async def outcome(self, cell: Cell) -> tuple[str, str]:
        """Wait for what the controller makes of a request: the answer, and the message."""
        done = await self.admin.until(f"{self.requests}/{cell}", lambda found: ready(found) is not None)
        condition = ready(done)
        assert condition is not None
        return {"Rendered": MADE, "CrossNamespaceDenied": DENIED, "PolicyMissing": MISSING}[
            condition["reason"]
        ], condition["message"]

    def template(self, cell: Cell) -> str:
        _, word, plural = FORMATS[cell.format]
        return f"/apis/{word}/namespaces/{self.home}/{plural}/{cell}"

    async def templates(self) -> dict[str, str]:
        """All templates in the requests' namespace, as text, by name."""
        collections = [f"/apis/{word}/namespaces/{self.home}/{plural}" for _, word, plural in FORMATS.values()]
        listed = [await self.admin.get(collection) for collection in collections]
        return {item["metadata"]["name"]: orjson.dumps(item).decode() for one in listed for item in one["items"]}


def vm(namespace: str, marker: str) -> dict[str, Any]:
    seed = {"name": "seed", "cloudInitNoCloud": {"userData": marker}}
    spec = {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}, "volumes": [seed]}}}
    metadata = {"name": VM, "namespace": namespace}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec}


def holds(marker: str) -> Callable[[Any], bool]:
    return lambda found: marker in orjson.dumps(found).decode()


def ready(found: dict[str, Any] | None) -> dict[str, Any] | None:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Ready"), None)


@pytest.fixture
async def scene(guarded: Server, admin: Client) -> AsyncIterator[Scene]:
    async with Scene(guarded, admin) as scene:
        yield scene


@asynccontextmanager
async def running(account: Path) -> AsyncIterator[Controller]:
    """The controller, started now."""
    controller = Controller(account, "--policy=Required")
    await asyncio.to_thread(controller.__enter__)
    try:
        yield controller
    finally:
        await asyncio.to_thread(controller.stop)


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_no_user_gets_a_vm_that_they_may_not_read(
    state: State, scene: Scene, account: Path, admin: Client
) -> None:
    cells = CELLS if state is STATES["in force"] else FEW
    expected = {cell: state.row[cell.right][PLACES.index(cell.place)] for cell in cells}
    await state.before(admin)
    await scene.admission(refused=state.row["nothing"][1] == REFUSED)
    admitted = {cell: await scene.create_request(cell) for cell in cells}
    await state.between(admin)
    async with running(account):
        found = {cell: await scene.outcome(cell) if admitted[cell] else (REFUSED, "") for cell in cells}
        assert {cell: answer for cell, (answer, _) in found.items()} == expected
        templates = await scene.templates()
        await attack(scene, [cell for cell in cells if admitted[cell]])
        assert await scene.templates() == templates  # what users cannot change, the controller has no cause to

    assert templates.keys() == {str(cell) for cell in cells if expected[cell] == MADE}
    for cell in cells:
        if expected[cell] == MADE:  # of the right VM, and of no other
            markers = {"same": f"marker of {scene.home}", "other": f"marker of {scene.away}"}
            assert {p for p, marker in markers.items() if marker in templates[str(cell)]} == {cell.place}
    messages = [message for answer, message in found.values() if answer in {DENIED, MISSING}]
    assert all(state.why.explanation in message for message in messages)
    # With every outcome, requests contain nothing of a VM.
    assert "marker of" not in orjson.dumps(await admin.get(scene.requests)).decode()


async def attack(scene: Scene, cells: list[Cell]) -> None:
    """As a user with no right but to change requests, try to have others' requests read more than they were let."""
    intruder = scene.users["nothing"]
    for cell in cells:
        path = f"{scene.requests}/{cell}"
        there = await intruder.get(path)
        other_form = request(cell, scene.away, form="short" if cell.form == "long" else "long")
        elsewhere = request(cell._replace(place="other"), scene.away, form="long")
        for wanted in (other_form, elsewhere) if cell.place == "same" else (other_form,):
            if wanted["spec"] != request(cell, scene.away)["spec"]:
                await refuses(intruder.put(path, there | {"spec": wanted["spec"]}), 422)
        await refuses(intruder.patch(path, {"spec": {"refreshPolicy": "OnChange"}}), 422)
        await refuses(intruder.patch(f"{path}/status", {"status": {"conditions": []}}), 403)


async def refuses(call: Any, status: int) -> None:
    with pytest.raises(ApiError) as refused:
        await call
    assert refused.value.status == status
