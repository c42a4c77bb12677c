"""Programs of other projects that check what is not Python, built from Go modules.

actionlint checks the workflows, promtool the alerts, helm the chart, krew the kubectl plugin, olm, which is
operator-framework's validators, the bundle, and kstatus, which is kstatus and Flux's evaluation of CEL expressions, the
statuses of requests. Each has its own go.mod in this folder: their dependencies exclude each other.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from e2e.envtest.build import build_of
from e2e.envtest.programs import cached, caches, machine

Name = Literal["actionlint", "helm", "kind", "krew", "kstatus", "olm", "promtool"]

PACKAGES: dict[Name, str] = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kind": "sigs.k8s.io/kind",
    "krew": "sigs.k8s.io/krew/cmd/krew",
    "kstatus": "atmpl/e2e/gotools/kstatus",
    "olm": "atmpl/e2e/gotools/olm",
    "promtool": "github.com/prometheus/prometheus/cmd/promtool",
}
# Without them, helm assumes a cluster of Kubernetes 1.20 for `helm template`.
_KUBERNETES = "helm.sh/helm/v3/pkg/chartutil"
LINKER_FLAGS: dict[Name, str] = {"helm": f"-X {_KUBERNETES}.k8sVersionMajor=1 -X {_KUBERNETES}.k8sVersionMinor=36"}


def program(name: Name) -> Path:
    """Return the program. Builds it if it is not in the cache, which takes minutes. Raises BuildError."""

    def build(packages: Mapping[str, str], folder: Path) -> None:
        build_of(_pins(name), packages, folder, linker_flags=LINKER_FLAGS.get(name, ""))

    return cached({name: PACKAGES[name]}, _cache(name), build)[name]


def available(name: Name) -> Path | None:
    """Return the program if it is in the cache or on PATH."""
    built = _cache(name) / name
    found = str(built) if built.exists() else shutil.which(name)
    return Path(found) if found else None


def _pins(name: Name) -> Path:
    return Path(__file__).parent / name / "go.mod"


def _cache(name: Name) -> Path:
    return caches() / name / machine(_pins(name))
