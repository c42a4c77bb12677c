"""Very many virtual machines at once: written into etcd as the API server has written one of their kind.

Posting 100,000 takes the API server most of an hour where others use the machine too. What stands in etcd is the same
but for names and uids, and everybody reads it through the API server as ever.
"""

import base64
from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import uuid4

import aiohttp

from e2e.bench.errors import FailedError
from e2e.bench.objects import NAMESPACE, VMS, vm
from e2e.controlplane import Client, ControlPlane

PREFIX = f"/registry/kubevirt.io/virtualmachines/{NAMESPACE}/"
SAMPLE = "vm-that-the-api-server-stored"
BATCH = 100  # objects a transaction; etcd takes 128


async def add(server: ControlPlane, client: Client, names: Sequence[str]) -> None:
    """Add virtual machines of these names. Raises FailedError."""
    sample = await client.post(VMS, vm(SAMPLE))
    async with aiohttp.ClientSession(
        "http://etcd", connector=aiohttp.UnixConnector(str(server.folder / "etcd.sock"))
    ) as etcd:
        found = await _call(etcd, "range", {"key": _text(f"{PREFIX}{SAMPLE}".encode())})
        stored = base64.b64decode(found["kvs"][0]["value"])
        left = iter(names)
        while batch := [*islice(left, BATCH)]:
            puts = [{"requestPut": dict(_entries(stored, sample["metadata"]["uid"], name))} for name in batch]
            await _call(etcd, "txn", {"success": puts})
    await client.delete(f"{VMS}/{SAMPLE}")


def _entries(stored: bytes, uid: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of another object like the one that is `stored`."""
    another = stored.replace(SAMPLE.encode(), name.encode()).replace(uid.encode(), str(uuid4()).encode())
    yield "key", _text(f"{PREFIX}{name}".encode())
    yield "value", _text(another)


async def _call(etcd: aiohttp.ClientSession, what: str, body: object) -> dict[str, list[dict[str, str]]]:
    async with etcd.post(f"/v3/kv/{what}", json=body) as answer:
        if answer.status != 200:
            raise FailedError(f"etcd refuses a {what}: {answer.status} {(await answer.text())[:300]}")
        found: dict[str, list[dict[str, str]]] = await answer.json()
        return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
