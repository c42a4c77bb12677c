"""The objects of the kustomizations in config/."""

import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from e2e.envtest import programs

CONFIG = Path(__file__).parents[1] / "config"


def warnings(stderr: str) -> list[str]:
    """Return the warnings of `kubectl apply -k`, without the one that it has for every kustomization with an order."""
    return [line for line in stderr.splitlines() if "Sorting order is set both in" not in line]


def text(folder: Path | str) -> str:
    """Return what `kubectl kustomize` prints for a folder below config/, or for a path. Raises BuildError."""
    kubectl = programs.find("kubectl")["kubectl"]
    done = subprocess.run([kubectl, "kustomize", CONFIG / folder], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def render(folder: Path | str) -> list[dict[str, Any]]:
    """Return the objects of a kustomization. Raises BuildError."""
    return deepcopy(_render(folder))


@cache
def _render(folder: Path | str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text(folder)))
