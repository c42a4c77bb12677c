"""The health of a request, as each tool computes it from the request's conditions.

`by_rules` has the rules of sigs.k8s.io/cli-utils, pkg/kstatus/status/generic.go (checkGenericProperties) and core.go (the
condition Ready of custom resources). `by_go` runs kstatus and Flux themselves, if `just health` has built them.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lupa.lua51
import orjson
import pytest
import yaml

from e2e import gotools

PAGE = (Path(__file__).parents[2] / "config" / "README.md").read_text()
BLOCKS = [yaml.safe_load(it) for it in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]

CREATED = "created"  # no controller has seen the request


class Health(NamedTuple):
    """What the tools report for a reason."""

    kstatus: str
    flux: str  # with the healthCheckExprs of config/README.md
    argo_cd: str


_WAITING = Health("InProgress", "InProgress", "Progressing")
_FAILED = Health("Failed", "Failed", "Degraded")
HEALTH = {
    CREATED: _WAITING,
    "Rendered": Health("Current", "Current", "Healthy"),
    "SourceNotFound": Health("InProgress", "Current", "Progressing"),
    "FormatUnavailable": _WAITING,
    "Forbidden": _WAITING,
    "Failed": _WAITING,
    "TargetConflict": _FAILED,
    "PolicyMissing": _FAILED,
    "CrossNamespaceDenied": _FAILED,
    "AccessRevoked": _FAILED,
    "InvalidSource": _FAILED,
    "TooLarge": _FAILED,
    "Unsupported": _FAILED,
}


def by_rules(obj: dict[str, Any]) -> str:
    """Return what kstatus computes for a custom resource."""
    status = obj.get("status", {})
    if "observedGeneration" in status and status["observedGeneration"] != obj["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return {"True": "Current", "False": "InProgress", "Unknown": "InProgress", None: "Current"}[conditions.get("Ready")]


def by_go(objects: Sequence[dict[str, Any]], *options: str) -> list[list[str]]:
    """Return what kstatus and Flux compute for each object. Skips the test if the program is missing."""
    program = gotools.available("kstatus")
    if program is None:
        pytest.skip("no kstatus here: `just health` builds it")
    stream = b"\n".join(map(orjson.dumps, objects))
    done = subprocess.run([program, *options], input=stream, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.decode().splitlines()]


def flux_options() -> list[str]:
    """Return the healthCheckExprs of config/README.md as options of the program."""
    [block] = [block["spec"]["healthCheckExprs"] for block in BLOCKS if "healthCheckExprs" in block.get("spec", {})]
    [expressions] = block
    return [f"--{name}={expressions[name]}" for name in ("current", "failed")]


def by_argo_cd(obj: dict[str, Any]) -> dict[str, str]:
    """Run the health check of config/README.md as Argo CD does: Lua 5.1, with the object as the global `obj`."""
    [entry] = [block["data"] for block in BLOCKS if "data" in block]
    [(key, script)] = entry.items()
    assert key == "resource.customizations.health.ssp.kubevirt.io_VirtualMachineTemplateRequest"
    lua = lupa.lua51.LuaRuntime()
    lua.globals().obj = lua.table_from(obj, recursive=True)
    return dict(lua.execute(script))
