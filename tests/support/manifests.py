"""The objects that each way of installation applies."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import gotools
from e2e.manifests import CONFIG, render

Object = dict[str, Any]

__all__ = ["CONFIG", "DOCUMENTS", "INSTALLATIONS", "Object", "chart", "helm", "one", "render"]

DOCUMENTS = {  # a cluster administrator applies these; the other folders are parts of them
    "default": "two replicas",
    "single-node": "one replica and no disruption budget",
    "monitoring": "for the Prometheus operator",
    "samples": "requests",
}
INSTALLATIONS = ["default", "single-node"]


def one(objects: list[Object], kind: str, name: str | None = None) -> Object:
    """Return the only object of this kind, and name."""
    [found] = [it for it in objects if it["kind"] == kind and name in {None, it["metadata"]["name"]}]
    return found


def chart(*options: str) -> list[Object]:
    """Return the objects of the chart. Skips the test if there is no helm: `just packages` builds it."""
    done = helm("template", "atmpl", CONFIG / "chart", "--namespace=atmpl-system", *options)
    assert done.returncode == 0, done.stderr
    return [it for it in yaml.safe_load_all(done.stdout) if it]


def helm(*arguments: Path | str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm, without its notes about symbolic links."""
    program = gotools.available("helm")
    if program is None:
        pytest.skip("no helm here: `just packages` builds it")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=env)
    notes = [line for line in done.stderr.splitlines() if "found symbolic link" not in line]
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout, "\n".join(notes))
