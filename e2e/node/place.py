"""The place a node lives in: namespaces, a folder and cgroups of its own, so that nothing of it stays.

All that the node makes is inside: its interfaces, rules, mounts and processes are in namespaces, which the kernel
takes away with their first process, whatever ends that. Only the folder and the cgroups outlive it; they are removed
here, and what a killed owner left is removed by the next one.
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
VARIABLE = "ATMPL_NODE_PLACE"  # tells who runs inside where the folder is

NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")
UNSHARE = ("unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child", "--")

_PATIENCE = 30.0  # seconds for a person's Ctrl-C to be heard, and for killed processes to leave their cgroups
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def hierarchies() -> list[Path]:
    """Return where the cgroups are mounted: one place for version 2, one for each controller of version 1."""
    lines = [line.split(" - ", 1) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [Path(left.split()[4]) for left, right in lines if right.split()[0] in {"cgroup", "cgroup2"}]


class Place:
    """Made on entering the context, gone on leaving it."""

    def __enter__(self) -> Self:
        _sweep()
        self._before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # undone, as for Ctrl-C
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
        """Run a command inside, with our terminal; return its exit status. All inside is dead at the return."""
        variables = {**env, VARIABLE: str(self.folder), "TMPDIR": str(self.folder)}
        inside = subprocess.Popen([*UNSHARE, *command], env=variables, preexec_fn=_dies_with_us())  # noqa: PLW1509 -- one thread
        try:
            return inside.wait()
        except KeyboardInterrupt:  # Ctrl-C was heard inside too, and there is something to tell
            with suppress(subprocess.TimeoutExpired):
                inside.wait(_PATIENCE)
            return 130
        finally:
            inside.kill()
            inside.wait()


def _dies_with_us() -> Callable[[], None]:
    """Return what ties a child to our life: even where we are killed, so is all that is inside."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _sweep() -> None:
    """Remove the places whose owner is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError, ValueError):
            if not Path("/proc", str(int((folder / "owner").read_text()))).exists():
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a place. Its processes were killed; a cgroup goes when the last of them has left it."""
    deadline = time.monotonic() + _PATIENCE
    for hierarchy in hierarchies():
        root = hierarchy / folder.name
        for cgroup, _, _ in os.walk(root, topdown=False):
            _rmdir(Path(cgroup), deadline)
    shutil.rmtree(folder)


def _rmdir(cgroup: Path, deadline: float) -> None:
    while cgroup.exists():
        try:
            cgroup.rmdir()
        except OSError:  # busy: somebody in it is still dying
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
