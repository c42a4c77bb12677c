"""The sandbox of a node: its own Linux namespaces, folder and cgroups, all of which are removed.

The kernel removes interfaces, rules, mounts and processes when the first process of the namespaces ends. The folder and
the cgroups are removed at the end; if their owner was killed, the next sandbox removes them.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

PREFIX = "atmpl-node-"
FOLDER_VARIABLE = "ATMPL_NODE_SANDBOX"  # environment of processes in the sandbox: its folder

NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")
UNSHARE = ("unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child", "--")

_TIMEOUT_SECONDS = 30.0  # of a shutdown after Ctrl-C, and for killed processes to leave their cgroups
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def hierarchies() -> list[Path]:
    """Return the mount points of cgroups: one for version 2, one per controller of version 1."""
    lines = [line.split(" - ", 1) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [Path(left.split()[4]) for left, right in lines if right.split()[0] in {"cgroup", "cgroup2"}]


class Sandbox:
    """A context manager: created on entering, removed on leaving."""

    def __enter__(self) -> Self:
        _remove_abandoned()
        self._before = signal.signal(
            signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
        )  # clean up, as for Ctrl-C
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.cgroup = f"/{self.folder.name}"
        (self.folder / "owner").write_text(str(os.getpid()))
        for hierarchy in hierarchies():
            (hierarchy / self.folder.name).mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        _remove(self.folder)
        signal.signal(signal.SIGTERM, self._before)

    def run(self, command: Sequence[str | Path], env: Mapping[str, str]) -> int:
        """Run a command in the sandbox; return its exit status. All processes of the sandbox have ended then."""
        variables = {**env, FOLDER_VARIABLE: str(self.folder), "TMPDIR": str(self.folder)}
        inside = subprocess.Popen([*UNSHARE, *command], env=variables, preexec_fn=_dies_with_us())  # noqa: PLW1509 -- one thread
        try:
            return inside.wait()
        except KeyboardInterrupt:  # the sandbox received Ctrl-C too, and prints its summary
            with suppress(subprocess.TimeoutExpired):
                inside.wait(_TIMEOUT_SECONDS)
            return 130
        finally:
            inside.kill()
            inside.wait()


def _dies_with_us() -> Callable[[], None]:
    """Return a hook that makes the kernel kill the child if this process ends."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_abandoned() -> None:
    """Remove sandboxes whose owner has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError, ValueError):
            if not Path("/proc", str(int((folder / "owner").read_text()))).exists():
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a sandbox. A cgroup can be removed after its last killed process has left it."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    for hierarchy in hierarchies():
        root = hierarchy / folder.name
        for cgroup, _, _ in os.walk(root, topdown=False):
            _rmdir(Path(cgroup), deadline)
    shutil.rmtree(folder)


def _rmdir(cgroup: Path, deadline: float) -> None:
    while cgroup.exists():
        try:
            cgroup.rmdir()
        except OSError:  # busy: a killed process has not left it yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
