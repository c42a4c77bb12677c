"""Programs of other projects that check what is not Python, built from Go modules.

actionlint checks the workflows, promtool the alerts, helm the chart, krew the kubectl plugin, olm, which is
operator-framework's validators, the bundle, and kstatus, which is kstatus and Flux's evaluation of CEL expressions, the
statuses of requests. prometheus and alertmanager watch the incidents (e2e/incidents). Each has its own go.mod in this
folder: their dependencies exclude each other.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from e2e.envtest.build import BuildError, build_of
from e2e.envtest.programs import cached, caches, machine

Name = Literal["actionlint", "alertmanager", "helm", "kind", "krew", "kstatus", "olm", "prometheus", "promtool"]

PACKAGES: dict[Name, str] = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "alertmanager": "./cmd/alertmanager",  # of the copy that _with_page makes
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kind": "sigs.k8s.io/kind",
    "krew": "sigs.k8s.io/krew/cmd/krew",
    "kstatus": "atmpl/e2e/gotools/kstatus",
    "olm": "atmpl/e2e/gotools/olm",
    "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
    "promtool": "github.com/prometheus/prometheus/cmd/promtool",
}
# Without them, helm assumes a cluster of Kubernetes 1.20 for `helm template`.
_KUBERNETES = "helm.sh/helm/v3/pkg/chartutil"
LINKER_FLAGS: dict[Name, str] = {"helm": f"-X {_KUBERNETES}.k8sVersionMajor=1 -X {_KUBERNETES}.k8sVersionMinor=36"}
TAGS: dict[Name, str] = {"prometheus": "remove_all_sd"}  # no service discovery: the targets are static


def program(name: Name) -> Path:
    """Return the program. Builds it if it is not in the cache, which takes minutes. Raises BuildError."""

    def build(packages: Mapping[str, str], folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="atmpl-gotools-") as scratch:
            pins = _with_page(_pins(name), Path(scratch)) if name == "alertmanager" else _pins(name)
            build_of(pins, packages, folder, linker_flags=LINKER_FLAGS.get(name, ""), tags=TAGS.get(name, ""))

    return cached({name: PACKAGES[name]}, _cache(name), build)[name]


def available(name: Name) -> Path | None:
    """Return the program if it is in the cache or on PATH."""
    built = _cache(name) / name
    found = str(built) if built.exists() else shutil.which(name)
    return Path(found) if found else None


def _with_page(pins: Path, folder: Path) -> Path:
    """Return the go.mod of a copy of Alertmanager's module that has a web page: the module itself does not compile.

    It embeds ui/app/dist, which only its releases contain.
    """
    command = ["go", "mod", "download", "-json", "github.com/prometheus/alertmanager"]
    try:
        done = subprocess.run(command, cwd=pins.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"`{' '.join(command)}` failed in {pins.parent}: {error}") from error
    copy = folder / "alertmanager"
    shutil.copytree(json.loads(done.stdout)["Dir"], copy, copy_function=shutil.copyfile)  # the cache is read-only
    for place, _, _ in os.walk(copy):
        Path(place).chmod(0o755)
    (copy / "ui/app/dist").mkdir()
    (copy / "ui/app/dist/index.html").write_text("Alertmanager without its web page\n")
    return copy / "go.mod"


def _pins(name: Name) -> Path:
    return Path(__file__).parent / name / "go.mod"


def _cache(name: Name) -> Path:
    return caches() / name / machine(_pins(name))
