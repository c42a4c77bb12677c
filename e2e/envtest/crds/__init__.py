"""What the cluster must serve besides its own: virtual machines, both kinds of template, and the project's request.

The files here are stand-ins, named as their definitions are. KubeVirt's own definitions take their place where they
are, and a definition that the cluster already has is left alone: a person's cluster may run the real KubeVirt.
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
    """Define what is missing, and the request as this checkout has it; return when all of it is served.

    Blocks. Raises KubectlError where a definition is refused, TimeoutError after `patience` seconds.
    """
    there = set(server.kubectl("get", "customresourcedefinitions", "--output", "name").split())
    stand_ins = sorted(Path(__file__).parent.glob("*.yaml"))
    missing = [_best(path) for path in stand_ins if f"customresourcedefinition.{_GROUP}/{path.stem}" not in there]
    files = [REQUEST, *missing]
    options = ("--server-side", "--force-conflicts", "--field-manager", "atmpl-e2e", "--output", "json")
    applied = server.kubectl("apply", *options, *(f"--filename={path}" for path in files))
    names = [f"customresourcedefinition/{path.stem}" for path in files]
    server.kubectl("wait", "--for=condition=Established", f"--timeout={patience}s", *names)
    deadline = time.monotonic() + patience
    for definition in _items(json.loads(applied)):
        while not _served(server, definition["spec"]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{definition['metadata']['name']} is not served after {patience} s")
            time.sleep(0.05)


_GROUP = "apiextensions.k8s.io"


def _best(stand_in: Path) -> Path:
    """Return KubeVirt's own definition where it is, else the stand-in."""
    real = REAL / stand_in.name
    return real if real.is_file() else stand_in


def _items(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that kubectl printed: one by itself, several in a List."""
    items: list[dict[str, Any]] = answer["items"] if answer["kind"] == "List" else [answer]
    return items


def _served(server: Server, spec: dict[str, Any]) -> bool:
    """Whether discovery knows every version; Established comes a moment earlier.

    The first call of a kind makes the server open its storage, so one is made here: a watch that comes too early is
    told 429.
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
