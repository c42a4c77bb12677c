"""The cluster that all contestants meet: a control plane that writes to disk as a real one does, VMs, and requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from e2e.bench.objects import NAMESPACE, REQUESTS, TEMPLATES, VMS, Object, request, vm
from e2e.controlplane import Client, ControlPlane
from e2e.controlplane.crds import install_crds

CONNECTIONS = 64  # over which we post
DELETERS = 16  # objects of a collection that the API server deletes at once; only our tidying needs it


@dataclass
class Stage:
    """The cluster."""

    server: ControlPlane
    client: Client  # the administrator
    vms: list[Object] = field(default_factory=list)
    posted: list[float] = field(default_factory=list)  # requests a second, each time that many were posted at once

    async def post_vms(self, count: int) -> None:
        """Add virtual machines until there are `count`."""
        start = len(self.vms)
        new = [vm(f"vm-{number}") for number in range(start, count)]
        self.vms += await spread(lambda body: self.client.post(VMS, body), new)

    async def post_requests(self, count: int, prefix: str = "request") -> list[Object]:
        """Post requests as fast as can be, and return them as they are stored."""
        bodies = [self.request(f"{prefix}-{number}", number) for number in range(count)]
        began = perf_counter()
        made = await spread(lambda body: self.client.post(REQUESTS, body), bodies)
        self.posted.append(count / (perf_counter() - began))
        return made

    def request(self, name: str, number: int) -> Object:
        """Return a request for one VM after the other."""
        return request(name, str(self.vms[number % len(self.vms)]["metadata"]["name"]))

    async def clear(self) -> None:
        """Remove every request and every template."""
        for collection in (REQUESTS, TEMPLATES):
            while (await self.client.get(collection, limit=1))["items"]:
                await self.client.delete(collection)

    async def count(self, collection: str) -> int:
        """Return how many objects there are."""
        first = await self.client.get(collection, limit=1)
        return len(first["items"]) + int(first["metadata"].get("remainingItemCount", 0))


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Start the cluster, with nothing on it; it is gone at the end."""
    flags = [f"--delete-collection-workers={DELETERS}"]
    server = await asyncio.to_thread(ControlPlane, fsync=True, controllers=(), apiserver_flags=flags)
    try:
        await asyncio.to_thread(install_crds, server)
        async with server.client() as client:
            await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
            yield Stage(server, client)
    finally:
        await asyncio.to_thread(server.close)


async def spread(work: Callable[[Any], Awaitable[Object]], items: Iterable[Any]) -> list[Object]:
    """Do the work on all items, CONNECTIONS of them at once; return what came of each, in order."""
    room = asyncio.Semaphore(CONNECTIONS)

    async def one(item: Any) -> Object:
        async with room:
            return await work(item)

    return await asyncio.gather(*map(one, items))
