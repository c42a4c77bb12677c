"""The cluster that all contestants meet: a control plane that writes to disk as a real one does, VMs, and requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

from e2e.bench import herd
from e2e.bench.errors import FailedError
from e2e.bench.objects import NAMESPACE, REQUESTS, TEMPLATES, VMS, Object, request, vm
from e2e.controlplane import ApiError, Client, ControlPlane
from e2e.controlplane.crds import install_crds

CONNECTIONS = 64  # over which we post
DELETERS = 16  # objects of a collection that the API server deletes at once; only our tidying needs it

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass
class Stage:
    """The cluster."""

    server: ControlPlane
    client: Client  # the administrator
    vms: list[str] = field(default_factory=list)  # their names
    posted: list[float] = field(default_factory=list)  # requests a second, each time that many were posted at once

    async def post_vms(self, count: int) -> None:
        """Add virtual machines until there are `count`."""

        async def one(number: int) -> str:
            await self.client.post(VMS, vm(vm_name(number)))
            return vm_name(number)

        self.vms += await spread(one, range(len(self.vms), count))

    async def add_vms(self, count: int) -> None:
        """Add virtual machines until there are `count`, which may be very many."""
        names = [*map(vm_name, range(len(self.vms), count))]
        await herd.add(self.server, self.client, names)
        self.vms += names
        if (found := await self.count(VMS)) != count:
            raise FailedError(f"{found} virtual machines instead of {count}")
        await self._cached(VMS)

    async def _cached(self, collection: str) -> None:
        """Wait until the API server has read from etcd what was not written through it: no stream begins before."""
        version = (await self.client.get(collection, limit=1))["metadata"]["resourceVersion"]
        newest = {"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"}
        while True:
            try:
                await self.client.get(collection, limit=1, **newest)
            except ApiError as error:
                if error.status != 504:
                    raise
            else:
                return

    async def stored_vms(self) -> list[Object]:
        """Return the virtual machines as they are stored."""
        found = await self.client.get(VMS)
        return [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", **item} for item in found["items"]]

    async def post_requests(self, count: int, prefix: str = "request") -> list[Object]:
        """Post requests as fast as can be, all over the virtual machines; return them as they are stored."""
        stride = max(len(self.vms) // count, 1)
        bodies = [self.request(f"{prefix}-{number}", number * stride) for number in range(count)]
        began = perf_counter()
        made = await spread(lambda body: self.client.post(REQUESTS, body), bodies)
        self.posted.append(count / (perf_counter() - began))
        return made

    def request(self, name: str, number: int) -> Object:
        """Return a request for one VM after the other."""
        return request(name, self.vms[number % len(self.vms)])

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
async def stage(*, fsync: bool = True, flags: Iterable[str] = ()) -> AsyncIterator[Stage]:
    """Start the cluster, with nothing on it; it is gone at the end. `flags` are added to kube-apiserver's."""
    flags = [f"--delete-collection-workers={DELETERS}", *flags]
    server = await asyncio.to_thread(ControlPlane, fsync=fsync, controllers=(), apiserver_flags=flags)
    try:
        await asyncio.to_thread(install_crds, server)
        async with server.client() as client:
            await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
            yield Stage(server, client)
    finally:
        await asyncio.to_thread(server.close)


def vm_name(number: int) -> str:
    """Return the name of a virtual machine."""
    return f"vm-{number}"


async def spread(work: Callable[[Item], Awaitable[Done]], items: Iterable[Item]) -> list[Done]:
    """Do the work on all items, CONNECTIONS of them at once; return what came of each, in order."""
    done: dict[int, Done] = {}

    async def some(left: Iterator[tuple[int, Item]]) -> None:
        for place, item in left:
            done[place] = await work(item)

    left = enumerate(items)
    await asyncio.gather(*(some(left) for _ in range(CONNECTIONS)))
    return [done[place] for place in sorted(done)]
