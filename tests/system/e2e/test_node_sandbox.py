"""A sandbox leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.node import sandbox
from e2e.node.requirements import unmet_requirement
from e2e.node.sandbox import PREFIX, Sandbox
from tests.support.child_process import started
from tests.support.platforms import WINDOWS

if WINDOWS:  # its signals have other names
    pytest.skip("the developers' programs run on Linux and macOS", allow_module_level=True)

UNMET = unmet_requirement()
needs_namespaces = pytest.mark.skipif(UNMET is not None, reason=f"{UNMET}")

INSIDE = "import os, time; os.system('ip link add stays type bridge'); print('up', flush=True); time.sleep(600)"
OWNER = f"""
import os, sys
from e2e.node.sandbox import Sandbox
with Sandbox() as sandbox:
    sys.exit(sandbox.run([sys.executable, "-c", {INSIDE!r}], os.environ))
"""


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch) -> list[Path]:
    """Folders that replace the cgroup mounts of this machine."""
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(tmp_path))
    mounts = [tmp_path / "cgroup" / name for name in ("cpu", "memory")]
    for hierarchy in mounts:
        hierarchy.mkdir(parents=True)
    monkeypatch.setattr(sandbox, "hierarchies", lambda: mounts)
    return mounts


def test_sandbox_has_a_folder_and_cgroups_until_it_ends(cgroups: list[Path]) -> None:
    with Sandbox() as it:
        assert it.folder.is_dir()
        groups = [hierarchy / it.folder.name for hierarchy in cgroups]
        (groups[0] / "kubepods" / "burstable").mkdir(parents=True)
        assert [group.is_dir() for group in groups] == [True, True]
    assert not it.folder.exists()
    assert [list(hierarchy.iterdir()) for hierarchy in cgroups] == [[], []]


def test_sandbox_of_a_killed_owner_is_removed_by_the_next(cgroups: list[Path], tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    owners = {"dead": dead.pid, "alive": os.getpid()}
    for name, owner in owners.items():
        (tmp_path / f"{PREFIX}{name}").mkdir()
        (tmp_path / f"{PREFIX}{name}" / "owner").write_text(f"{owner}")
        (cgroups[0] / f"{PREFIX}{name}" / "kubepods").mkdir(parents=True)
    with Sandbox():
        pass
    assert [path.name for path in tmp_path.glob(f"{PREFIX}*")] == [f"{PREFIX}alive"]
    assert [path.name for path in cgroups[0].iterdir()] == [f"{PREFIX}alive"]


@needs_namespaces
@pytest.mark.parametrize(
    ("number", "status", "left"),
    {
        "Ctrl-C": (signal.SIGINT, 130, False),
        "SIGTERM": (signal.SIGTERM, 143, False),
        "SIGKILL": (signal.SIGKILL, -9, True),  # until the next one removes it
    }.values(),
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_processes_of_the_sandbox_end_with_it(tmp_path: Path, number: signal.Signals, status: int, left: bool) -> None:
    """The output ends when the last process that holds it has ended."""
    with started(
        [sys.executable, "-c", OWNER],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as owner:
        assert owner.stdout.readline() == "up\n"
        if number == signal.SIGINT:
            os.killpg(owner.pid, number)  # as a terminal does
        else:
            owner.send_signal(number)
        assert owner.stdout.read() == ""
        assert owner.wait(60) == status
    assert "stays" not in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert any(tmp_path.glob(f"{PREFIX}*")) == left
    for folder in tmp_path.glob(f"{PREFIX}*"):
        sandbox._remove(folder)
