"""Programs of others that check what is not Python: actionlint the workflows, promtool the alerts.

Each has a go.mod of its own beside this file: their dependencies exclude each other.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from e2e.controlplane.build import build_of
from e2e.controlplane.programs import cached, caches, machine

PACKAGES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "kind": "sigs.k8s.io/kind",
    "promtool": "github.com/prometheus/prometheus/cmd/promtool",
}


def program(name: Literal["actionlint", "kind", "promtool"]) -> Path:
    """Return the program, built where it is not in the cache: promtool takes some minutes. Raises BuildError."""
    pins = Path(__file__).parent / name / "go.mod"

    def build(packages: Mapping[str, str], folder: Path) -> None:
        build_of(pins, packages, folder)

    return cached({name: PACKAGES[name]}, caches() / name / machine(pins), build)[name]
