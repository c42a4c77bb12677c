"""The health checks of GitOps tools in config/README.md, on the conditions of every reason."""

import re
from pathlib import Path
from typing import Any

import lupa.lua51
import pytest
import yaml

from atmpl.controller.outcome import Reason

PAGE = (Path(__file__).parents[3] / "config" / "README.md").read_text()
BLOCKS = [yaml.safe_load(it) for it in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
HEALTH = {  # reason: Argo CD's health
    "Rendered": "Healthy",
    "SourceNotFound": "Progressing",
    "FormatUnavailable": "Progressing",
    "Forbidden": "Progressing",
    "Failed": "Progressing",
    "TargetConflict": "Degraded",
    "PolicyMissing": "Degraded",
    "CrossNamespaceDenied": "Degraded",
    "AccessRevoked": "Degraded",
    "InvalidSource": "Degraded",
    "TooLarge": "Degraded",
    "Unsupported": "Degraded",
}


def request(reason: str, *, observed: int = 1) -> dict[str, Any]:
    """A request with the conditions of a reason."""
    ready = {"type": "Ready", "status": "True" if reason == "Rendered" else "False", "reason": reason, "message": "m"}
    stalled = {"type": "Stalled", "status": "True", "reason": reason, "message": "m"}
    conditions = [ready, *([stalled] if HEALTH[reason] == "Degraded" else [])]
    return {"metadata": {"generation": 1}, "status": {"observedGeneration": observed, "conditions": conditions}}


@pytest.fixture(scope="module")
def script() -> str:
    [entry] = [block["data"] for block in BLOCKS if "data" in block]
    [(key, script)] = entry.items()
    assert key == "resource.customizations.health.ssp.kubevirt.io_VirtualMachineTemplateRequest"
    text: str = script
    return text


def argo_cd(script: str, obj: dict[str, Any]) -> dict[str, str]:
    """Run a health check as Argo CD does: Lua 5.1, with the object as the global `obj`."""
    lua = lupa.lua51.LuaRuntime()
    lua.globals().obj = lua.table_from(obj, recursive=True)
    return dict(lua.execute(script))


def test_table_has_every_reason() -> None:
    assert HEALTH.keys() == set(Reason)


@pytest.mark.parametrize("reason", HEALTH)
def test_argo_cd_shows_the_health_of_a_reason(reason: str, script: str) -> None:
    assert argo_cd(script, request(reason)) == {"status": HEALTH[reason], "message": f"{reason}: m"}


@pytest.mark.parametrize(
    "obj",
    [
        {"metadata": {"generation": 1}},
        {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}},
        request("Rendered", observed=0),
    ],
    ids=["no status", "default status", "older generation"],
)
def test_argo_cd_waits_for_the_controller(obj: dict[str, Any], script: str) -> None:
    assert argo_cd(script, obj)["status"] == "Progressing"
