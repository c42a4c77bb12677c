"""The programs of a control plane: from KUBEBUILDER_ASSETS, the user's cache folder, or a build.

Only what is missing in one place is looked for in the next. The cache is keyed by everything that go.mod pins, so a
new version is a new folder and an old checkout keeps working.
"""

import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from e2e.envtest.build import DEFAULT_GO_MODULE, GO_MODULE, build, pinned, print_progress

# program: the Go package it is built from (a `tool` of go.mod)
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
}

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")  # the others are a node's


def find(*names: str) -> dict[str, Path]:
    """Return the paths of the named programs, by default those of a control plane.

    Builds what is nowhere. Raises BuildError, whose message names the ways out.
    """
    wanted = names or CONTROL_PLANE
    given, found = _assets(wanted), dict[str, Path]()
    for module in (DEFAULT_GO_MODULE, GO_MODULE):
        packages = {name: PACKAGES[name] for name in wanted if name not in found and _pins(module, name)}
        found |= cached(packages, cache_folder(module), partial(build, go_module=module), given)
    return {name: found[name] for name in wanted}


def _pins(module: Path, name: str) -> bool:
    """Return True if the program comes from this go.mod: etcd is the same for every version of Kubernetes."""
    return module == (DEFAULT_GO_MODULE if name == "etcd" else GO_MODULE)


def cached(
    packages: Mapping[str, str],
    cache: Path,
    build: Callable[[Mapping[str, str], Path], None],
    given: Mapping[str, Path] | None = None,
) -> dict[str, Path]:
    """Return programs by name: given ones, cached ones, or new builds in the cache.

    `packages` are Go packages by the program's name, as `build` takes them. Raises BuildError.
    """
    found = {**_in(cache, packages), **(given or {})}
    missing = [name for name in packages if name not in found]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache):
            still = {name: packages[name] for name in missing if name not in _in(cache, packages)}
            if still:
                build(still, cache)
        found |= _in(cache, missing)
    return {name: found[name] for name in packages}


def caches() -> Path:
    """Return the folder for all that the project keeps on this machine."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    place = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"  # the XDG specification's own rule
    return place / "atmpl"


def cache_folder(module: Path = GO_MODULE) -> Path:
    """Return the folder that holds, or would hold, the programs of a go.mod for this machine."""
    versions = f"kubernetes-{pinned('k8s.io/kubernetes', module)}"
    if module == DEFAULT_GO_MODULE:
        versions += f"-etcd-{pinned('go.etcd.io/etcd/server/v3', module)}"
    return caches() / "controlplane" / f"{versions}-{machine(module)}"


def machine(module: Path) -> str:
    """Return the end of a cache folder's name: the platform, and a digest of the go.mod."""
    return f"{sys.platform}-{platform.machine()}-{hashlib.sha256(module.read_bytes()).hexdigest()[:8]}"


def _assets(wanted: Iterable[str]) -> dict[str, Path]:
    """Return the programs in KUBEBUILDER_ASSETS."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if not named:
        return {}
    found = _in(Path(named).absolute(), PACKAGES)
    if missing := [name for name in wanted if name not in found]:
        print_progress(f"KUBEBUILDER_ASSETS={named} has no {', '.join(missing)}")
    return found


def _in(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    return {name: folder / name for name in names if os.access(folder / name, os.X_OK)}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, and remove what killed builds left."""
    import fcntl  # noqa: PLC0415 - only POSIX has it, and Windows imports this module too

    with (folder / "lock").open("w") as lock:
        waited = 0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited % 20 == 0:
                    print_progress(f"another process is building the programs; waiting for it ({waited} s)")
                time.sleep(1)
                waited += 1
        for left in folder.glob("building-*"):
            shutil.rmtree(left)
        yield
