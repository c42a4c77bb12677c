"""The CRDs that the tests need: virtual machines, both kinds of templates, and the request.

The files here are stand-ins with the names of their CRDs. KubeVirt's own CRDs replace them if the shared data has them.
A CRD that the cluster has is not changed: an existing cluster can run KubeVirt.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from e2e.envtest.server import KubectlError, Server

_CHECKOUT = Path(__file__).parents[3]
REQUEST = _CHECKOUT / "config" / "crd" / "virtualmachinetemplaterequests.ssp.kubevirt.io.yaml"
REAL = Path(os.environ.get("ATMPL_SHARED") or _CHECKOUT.parent / "shared") / "crd"  # as tests/shared.py has it


def install_crds(server: Server, *, patience: float = 60) -> None:
    """Install missing CRDs and this checkout's request; return when all are served.

    Blocks. Raises KubectlError if a CRD is rejected, TimeoutError after `patience` seconds.
    """
    there = set(server.kubectl("get", "customresourcedefinitions", "--output", "name").split())
    stand_ins = sorted(Path(__file__).parent.glob("*.yaml"))
    missing = [_best(path) for path in stand_ins if f"customresourcedefinition.{_GROUP}/{path.stem}" not in there]
    files = [REQUEST, *missing]
    options = ("--server-side", "--force-conflicts", "--field-manager", "atmpl-e2e", "--output", "json")
    applied = server.kubectl("apply", *options, *(f"--filename={path}" for path in files))
    deadline = time.monotonic() + patience
    for definition in _items(json.loads(applied)):
        while not _served(server, definition["spec"]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{definition['metadata']['name']} is not served after {patience} s")
            time.sleep(0.05)


_GROUP = "apiextensions.k8s.io"


def _best(stand_in: Path) -> Path:
    """Return KubeVirt's own CRD if it exists, otherwise the stand-in."""
    real = REAL / stand_in.name
    return real if real.is_file() else stand_in


def _items(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that kubectl printed: one by itself, several in a List."""
    items: list[dict[str, Any]] = answer["items"] if answer["kind"] == "List" else [answer]
    return items


def _served(server: Server, spec: dict[str, Any]) -> bool:
    """Return True if discovery has every version; Established is set slightly earlier.

    The first call for a kind opens its storage; an earlier watch gets 429.
    """
    plural = spec["names"]["plural"]
    try:
        for version in spec["versions"]:
            api = f"/apis/{spec['group']}/{version['name']}"
            known = json.loads(server.kubectl("get", "--raw", api))["resources"]
            if plural not in {resource["name"] for resource in known}:
                return False
            server.kubectl("get", "--raw", f"{api}/{plural}?limit=1")
    except KubectlError:
        return False
    return True
