"""Whatever ends a node's place, nothing of it stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.node import place
from e2e.node.conditions import why_not
from e2e.node.place import PREFIX, Place

WHY_NOT = why_not()
needs_namespaces = pytest.mark.skipif(WHY_NOT is not None, reason=f"{WHY_NOT}")

INSIDE = "import os, time; os.system('ip link add stays type bridge'); print('up', flush=True); time.sleep(600)"
OWNER = f"""
import os, sys
from e2e.node.place import Place
with Place() as place:
    sys.exit(place.run([sys.executable, "-c", {INSIDE!r}], os.environ))
"""


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch) -> list[Path]:
    """Folders in the place of the machine's cgroups."""
    monkeypatch.setattr(place.tempfile, "tempdir", str(tmp_path))
    made = [tmp_path / "cgroup" / name for name in ("cpu", "memory")]
    for hierarchy in made:
        hierarchy.mkdir(parents=True)
    monkeypatch.setattr(place, "hierarchies", lambda: made)
    return made


def test_a_place_has_a_folder_and_a_group_in_each_hierarchy_until_it_ends(cgroups: list[Path]) -> None:
    with Place() as made:
        assert made.folder.is_dir()
        groups = [hierarchy / made.folder.name for hierarchy in cgroups]
        (groups[0] / "kubepods" / "burstable").mkdir(parents=True)
        assert [group.is_dir() for group in groups] == [True, True]
    assert not made.folder.exists()
    assert [list(hierarchy.iterdir()) for hierarchy in cgroups] == [[], []]


def test_what_a_killed_owner_left_goes_with_the_next_place(cgroups: list[Path], tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    owners = {"dead": dead.pid, "alive": os.getpid()}
    for name, owner in owners.items():
        (tmp_path / f"{PREFIX}{name}").mkdir()
        (tmp_path / f"{PREFIX}{name}" / "owner").write_text(f"{owner}")
        (cgroups[0] / f"{PREFIX}{name}" / "kubepods").mkdir(parents=True)
    with Place():
        pass
    assert [path.name for path in tmp_path.glob(f"{PREFIX}*")] == [f"{PREFIX}alive"]
    assert [path.name for path in cgroups[0].iterdir()] == [f"{PREFIX}alive"]


@needs_namespaces
@pytest.mark.parametrize(
    ("number", "status", "left"),
    {
        "Ctrl-C": (signal.SIGINT, 130, False),
        "it is asked to end": (signal.SIGTERM, 143, False),
        "it is killed": (signal.SIGKILL, -9, True),  # until the next one sweeps
    }.values(),
    ids=["Ctrl-C", "it is asked to end", "it is killed"],
)
def test_all_inside_is_dead_where(tmp_path: Path, number: signal.Signals, status: int, left: bool) -> None:
    """Its output ends when the last process that holds it has ended."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with owner:
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
        place._remove(folder)
