"""The machine that it was measured on, in the words that a reader needs to judge the figures."""

import importlib.metadata
import os
import platform
from pathlib import Path

from e2e.bench.results import Machine
from e2e.controlplane import Client
from e2e.controlplane.crds import REAL

PACKAGES = ("aiohttp", "msgspec", "orjson", "uvloop", "kopf")


async def machine(client: Client) -> Machine:
    """Return it."""
    version = await client.get("/version")
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        kernel=f"Linux {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        kubernetes=version["gitVersion"],
        packages={name: found for name in PACKAGES if (found := _version(name))},
        definition="KubeVirt's own" if (REAL / "virtualmachines.kubevirt.io.yaml").is_file() else "stand-in",
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
