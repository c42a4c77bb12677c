"""What a stream of all VMs costs: a program of its own that has atmpl's stream reader and store, and nothing else.

`python -m e2e.bench.listed`, in a pod's environment: reads the list of all VMs three times, of which only the first
says anything new, and prints a Listed as JSON.
"""

import asyncio
import os
import sys
from random import Random
from time import process_time
from typing import NamedTuple

import msgspec

from atmpl.kube.auth.in_cluster import InCluster
from atmpl.kube.client import KubeClient
from atmpl.kube.reflector import Reflector
from atmpl.kube.resources import VMS
from atmpl.kube.stores.vms import VMStore
from atmpl.kube.stream import WatchTarget
from atmpl.manager.run import run
from e2e.bench.usage import usage


class Listed(NamedTuple):
    """What the lists cost."""

    events: int  # of each
    fresh: float  # us of CPU an event of the first list
    unchanged: float  # us of CPU an event of the second
    kept: float  # MiB that the third list added; the second one's room for the list's names stays with Python


class _Store(VMStore):
    """atmpl's store of VMs, which says when a list is complete."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.listed = asyncio.Event()

    def served(self, yes: bool) -> None:
        super().served(yes)
        self.listed.set()


async def _main() -> Listed:
    store = _Store()
    async with KubeClient(InCluster()) as connection:
        fresh = await _list(connection, store)
        unchanged = await _list(connection, store)
        before = usage(os.getpid()).resident
        await _list(connection, store)
        kept = usage(os.getpid()).resident - before
    return Listed(len(store), fresh / len(store) * 1e6, unchanged / len(store) * 1e6, kept)


async def _list(connection: KubeClient, store: _Store) -> float:
    """Read the list of all VMs; return the CPU that it took, in seconds."""
    store.listed.clear()
    watch = Reflector(WatchTarget(VMS.path, metadata_only=True), connection, store, random=Random(0))
    began = process_time()
    task = asyncio.create_task(watch.run())
    await store.listed.wait()
    spent = process_time() - began
    task.cancel()
    await asyncio.wait([task])
    return spent


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(_main())))
