"""`atmpl` with a fault: the reconcile of a request for the VM `hang` never ends."""

import asyncio
import sys
from typing import Any

from atmpl.cli.main import main
from atmpl.controller.objects import ObjectKey
from atmpl.kube.cluster import KubeCluster

HANG = "hang"
_read_vm = KubeCluster.vm


async def _hang(self: KubeCluster, source: ObjectKey, *, uncached: bool = False) -> dict[str, Any] | None:
    if source.name == HANG:
        await asyncio.Event().wait()
    return await _read_vm(self, source, uncached=uncached)


KubeCluster.vm = _hang  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
