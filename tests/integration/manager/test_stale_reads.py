"""No template is older than its request: VMs are edited, and each edit is followed at once by a request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from e2e.envtest import Client
from e2e.objects import is_ready, reason
from tests.support.builders import (
    NATIVE_TEMPLATES_API,
    TEMPLATES_API,
    Object,
    defaults,
    request,
    request_path,
    vm,
    vm_path,
)

pytestmark = [pytest.mark.usefixtures("controller"), pytest.mark.timeout(1200)]  # the full size takes minutes

WRITERS = 8
EDITS_PER_BUSY_VM = 30  # 100 other VMs change beside 3,000 edits: with 8, a read of the watch cache was not noticed
RECREATE_EVERY = 10  # edits: then the VM is deleted and created again
PATHS = {
    "openshiftTemplate": f"{TEMPLATES_API}/namespaces/{{}}/templates",
    "virtualMachineTemplate": f"{NATIVE_TEMPLATES_API}/namespaces/{{}}/virtualmachinetemplates",
}


def memory(edit: int) -> str:
    return f"{100 + edit}Mi"


def new_memory(edit: int) -> Object:
    return {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": memory(edit)}}}}}}}


def name_of(writer: int, edit: int) -> str:
    return f"writer{writer}-{edit:05}"


@asynccontextmanager
async def busy(client: Client, namespace: str, edits: int) -> AsyncIterator[None]:
    """Change other VMs all the time, which keeps the watch cache behind."""

    async def change(name: str) -> None:
        number = 0
        while True:
            number += 1
            await client.patch(vm_path(namespace, name), {"metadata": {"annotations": {"number": str(number)}}})

    names = [f"busy{number}" for number in range(edits // EDITS_PER_BUSY_VM)]
    for name in names:
        await client.create(vm(namespace, name))
    tasks = [asyncio.create_task(change(name)) for name in names]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def write(client: Client, namespace: str, writer: int, edits: int, target: str) -> None:
    """Edit a VM; create a request after each edit."""
    name = f"vm{writer}"
    await client.create(vm(namespace, name, memory=memory(0)))
    for edit in range(1, edits + 1):
        posted = request(namespace, name_of(writer, edit), source=name)
        posted["spec"]["target"] = {target: {}}
        if edit % RECREATE_EVERY:
            await client.patch(vm_path(namespace, name), new_memory(edit))
            await client.create(posted)
        else:
            await client.delete(vm_path(namespace, name))
            await client.create(posted)
            await client.create(vm(namespace, name, memory=memory(edit)))


async def reconciled(client: Client, namespace: str, names: list[str], done: Callable[[Any], bool]) -> list[Object]:
    """Wait until all of these requests are done, and return them. `until` alone lists all of them for each."""
    for name in names:
        if not done(await client.get(request_path(namespace, name))):
            await client.until(request_path(namespace, name), done)
    return [await client.get(request_path(namespace, name)) for name in names]


@pytest.mark.parametrize("target", PATHS)
async def test_template_is_never_older_than_its_request(
    client: Client, namespace: str, target: str, stale_edits: int
) -> None:
    edits = stale_edits // WRITERS
    async with busy(client, namespace, stale_edits):
        await asyncio.gather(*(write(client, namespace, writer, edits, target) for writer in range(WRITERS)))
    names = [name_of(writer, edit) for writer in range(WRITERS) for edit in range(1, edits + 1)]
    await reconciled(client, namespace, names, is_ready)
    templates = {
        each["metadata"]["name"]: each for each in (await client.get(PATHS[target].format(namespace)))["items"]
    }
    stale = {}
    for name in names:
        template = templates[name]
        value = defaults(template.get("spec") or template)["REQUESTS_MEMORY"]
        if int(value.removesuffix("Mi")) < 100 + int(name.rpartition("-")[2]):
            stale[name] = value
    assert stale == {}


async def test_deleted_vm_is_never_served(client: Client, namespace: str, stale_edits: int) -> None:
    numbers = range(stale_edits // 10)

    async def delete(number: int) -> None:
        name = f"vm{number}"
        await client.create(vm(namespace, name))
        await client.delete(vm_path(namespace, name))
        await client.create(request(namespace, name, source=name))

    async with busy(client, namespace, stale_edits):
        await asyncio.gather(*(delete(number) for number in numbers))
    names = [f"vm{number}" for number in numbers]
    for found in await reconciled(client, namespace, names, lambda found: reason(found) != ""):
        assert reason(found) == "SourceNotFound"
