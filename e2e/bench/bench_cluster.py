"""The cluster of a benchmark: a control plane without other load, virtual machines and requests."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TypeVar
from uuid import uuid4

import aiohttp
import yaml

from e2e import objects
from e2e.envtest import ApiError, BuildError, Client, ControlPlane, ProcessError
from e2e.envtest.crds import install_crds
from e2e.objects import Object

NAMESPACE = "bench"
REQUESTS, TEMPLATES, VMS = objects.requests(NAMESPACE), objects.templates(NAMESPACE), objects.vms(NAMESPACE)
VM_YAML = (Path(__file__).parent / "vm.yaml").read_text()

POST_CONNECTIONS = 64
DELETE_WORKERS = 16  # objects of a collection that the API server deletes at the same time; only `clear` needs them
ETCD_PREFIX = f"/registry/kubevirt.io/virtualmachines/{NAMESPACE}/"
ETCD_BATCH = 100  # objects per transaction; etcd accepts 128

Item = TypeVar("Item")
Result = TypeVar("Result")


class FailedError(Exception):
    """The run failed, so its figures are not reported."""


FAILURES = (FailedError, BuildError, ProcessError, ApiError, aiohttp.ClientError, TimeoutError)


def vm(name: str) -> Object:
    """Return a virtual machine of 2.7 kB of JSON."""
    parsed: Object = yaml.safe_load(VM_YAML.replace("NAME", name))
    return parsed


@dataclass
class BenchCluster:
    """A running control plane and what was posted to it."""

    server: ControlPlane
    client: Client  # the administrator's
    vms: list[str] = field(default_factory=list)
    post_rates: list[float] = field(default_factory=list)  # requests per second, one per `post_requests`

    async def post_vms(self, count: int) -> None:
        """Post `count` virtual machines."""
        self.vms = [f"vm-{number}" for number in range(count)]
        await concurrently(lambda name: self.client.post(VMS, vm(name)), self.vms)

    async def bulk_load_vms(self, count: int) -> None:
        """Write `count` virtual machines into etcd, as copies of one that the API server stored. Raises FailedError.

        Posting 100,000 takes most of an hour. Only names and uids differ from posted ones.
        """
        self.vms = [f"vm-{number}" for number in range(count)]
        sample = await self.client.post(VMS, vm("bulk-load-sample"))
        name, uid = sample["metadata"]["name"], sample["metadata"]["uid"]
        connector = aiohttp.UnixConnector(str(self.server.folder / "etcd.sock"))
        async with aiohttp.ClientSession("http://etcd", connector=connector) as etcd:
            found = await _call_etcd(etcd, "range", {"key": _base64(f"{ETCD_PREFIX}{name}")})
            stored = base64.b64decode(found["kvs"][0]["value"])
            for start in range(0, count, ETCD_BATCH):
                puts = []
                for copy in self.vms[start : start + ETCD_BATCH]:
                    value = stored.replace(name.encode(), copy.encode()).replace(uid.encode(), str(uuid4()).encode())
                    put = {"key": _base64(f"{ETCD_PREFIX}{copy}"), "value": base64.b64encode(value).decode()}
                    puts.append({"requestPut": put})
                await _call_etcd(etcd, "txn", {"success": puts})
        await self.client.delete(f"{VMS}/{name}")
        if (stored_count := await self.count(VMS)) != count:
            raise FailedError(f"{stored_count} virtual machines instead of {count}")
        await self._wait_until_cached(VMS)

    async def _wait_until_cached(self, collection: str) -> None:
        """Wait until the API server's watch cache has what was written to etcd directly."""
        version = (await self.client.get(collection, limit=1))["metadata"]["resourceVersion"]
        newest = {"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"}
        while True:
            try:
                await self.client.get(collection, limit=1, **newest)
            except ApiError as error:
                if error.status != 504:  # "Too large resource version", after 3 s
                    raise
            else:
                return

    async def stored_vms(self) -> list[Object]:
        """Return all virtual machines."""
        listed = await self.client.get(VMS)
        return [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", **item} for item in listed["items"]]

    async def post_requests(self, count: int, prefix: str = "request") -> list[Object]:
        """Post requests over POST_CONNECTIONS connections, spread over the virtual machines; return them as stored."""
        stride = max(len(self.vms) // count, 1)
        bodies = [self.request(f"{prefix}-{number}", number * stride) for number in range(count)]
        began = perf_counter()
        stored = await concurrently(lambda body: self.client.post(REQUESTS, body), bodies)
        self.post_rates.append(count / (perf_counter() - began))
        return stored

    def request(self, name: str, number: int) -> Object:
        """Return a request for the virtual machine of this number, modulo their count."""
        return objects.request(name, self.vms[number % len(self.vms)])

    async def clear(self) -> None:
        """Delete every request and every template."""
        for collection in (REQUESTS, TEMPLATES):
            while (await self.client.get(collection, limit=1))["items"]:
                await self.client.delete(collection)

    async def count(self, collection: str) -> int:
        """Return the number of objects."""
        first = await self.client.get(collection, limit=1)
        return len(first["items"]) + int(first["metadata"].get("remainingItemCount", 0))


@asynccontextmanager
async def bench_cluster(*, fsync: bool = True, profiling: bool = False) -> AsyncIterator[BenchCluster]:
    """Start a cluster without virtual machines, and stop it at the end."""
    flags = [f"--delete-collection-workers={DELETE_WORKERS}", f"--profiling={str(profiling).lower()}"]
    server = await asyncio.to_thread(ControlPlane, fsync=fsync, controllers=(), apiserver_flags=flags)
    try:
        await asyncio.to_thread(install_crds, server)
        async with server.client() as client:
            await client.create(objects.namespace(NAMESPACE))
            yield BenchCluster(server, client)
    finally:
        await asyncio.to_thread(server.close)


async def concurrently(work: Callable[[Item], Awaitable[Result]], items: Sequence[Item]) -> list[Result]:
    """Do the work on all items, POST_CONNECTIONS of them at the same time; return the results in order."""
    results: dict[int, Result] = {}

    async def worker(remaining: Iterable[tuple[int, Item]]) -> None:
        for index, item in remaining:
            results[index] = await work(item)

    remaining = iter(enumerate(items))
    await asyncio.gather(*(worker(remaining) for _ in range(POST_CONNECTIONS)))
    return [results[index] for index in range(len(items))]


async def _call_etcd(etcd: aiohttp.ClientSession, method: str, body: object) -> dict[str, list[dict[str, str]]]:
    async with etcd.post(f"/v3/kv/{method}", json=body) as response:
        if response.status != 200:
            raise FailedError(f"etcd {method}: {response.status} {(await response.text())[:300]}")
        decoded: dict[str, list[dict[str, str]]] = await response.json()
        return decoded


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
