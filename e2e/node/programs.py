"""The programs of a node, from the cache or built from pinned Go modules.

Debian's runc and crun are too old for containerd 2. Only runc needs a C compiler, and libseccomp.
"""

from collections.abc import Mapping
from pathlib import Path

from e2e.envtest import programs
from e2e.envtest.build import build_of, pinned

GO_MODULE = Path(__file__).parent / "go.mod"

# program: the Go package it is built from
PACKAGES = {
    "containerd": "github.com/containerd/containerd/v2/cmd/containerd",
    "containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    "ctr": "github.com/containerd/containerd/v2/cmd/ctr",
    "pause": "./pause",
}
RUNC = {"runc": "github.com/opencontainers/runc"}

KUBERNETES = ("kubelet", "kube-scheduler")


def find() -> dict[str, Path]:
    """Return the programs by name; those of containerd and runc are in one folder. Raises BuildError."""
    folder = programs.caches() / "node" / f"{_versions()}-{programs.machine(GO_MODULE)}"
    return {
        **programs.find(*KUBERNETES),
        **programs.cached(PACKAGES, folder, _build),
        **programs.cached(RUNC, folder, _build_runc),
    }


def _versions() -> str:
    containerd = pinned("github.com/containerd/containerd/v2", GO_MODULE)
    return f"containerd-{containerd}-runc-{pinned('github.com/opencontainers/runc', GO_MODULE)}"


def _build(packages: Mapping[str, str], folder: Path) -> None:
    version = f"v{pinned('github.com/containerd/containerd/v2', GO_MODULE)}"
    build_of(
        GO_MODULE, packages, folder, linker_flags=f"-X github.com/containerd/containerd/v2/version.Version={version}"
    )


def _build_runc(packages: Mapping[str, str], folder: Path) -> None:
    build_of(GO_MODULE, packages, folder, tags="seccomp", with_c=True)
