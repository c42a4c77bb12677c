"""However the owner ends, its processes and its folder are removed."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from e2e.envtest.processes import ProcessError, Processes
from tests.support.child_process import started
from tests.support.platforms import WINDOWS

if WINDOWS:  # its signals have other names
    pytest.skip("the developers' programs run on Linux and macOS", allow_module_level=True)

OWNER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup and `&` let a process ignore these two
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from e2e.envtest.processes import Processes
with Processes() as processes:
    child = processes.start("child", [{command}])
    print(child, processes._supervisor.pid, processes.folder, flush=True)
    time.sleep(600)
"""
SLEEPS = '"sleep", "600"'
# One process, no shell: what a shell has just started outlives it for a moment.
WRITER = "import os, sys\\nwhile True: os.makedirs(sys.argv[1], exist_ok=True)"
WRITES = f'sys.executable, "-c", "{WRITER}", processes.folder'
HEARS = """
import signal, time
from e2e.envtest.processes import Processes
with Processes() as processes:
    signal.signal(signal.SIGINT, lambda *_: print(processes.status("child"), flush=True))
    processes.start("child", ["sleep", "600"])
    print("ready", flush=True)
    time.sleep(600)
"""


def gone(pid: int) -> bool:
    """True once the kernel has no such process, or only a zombie, which its parent must collect."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def goes(*pids: int) -> bool:
    """Wait until every process is gone."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([handle], [], [], 20)[0], f"{pid} lives"
        finally:
            os.close(handle)
    return all(gone(pid) for pid in pids)


def vanishes(folder: Path) -> bool:
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not folder.exists()


@pytest.mark.parametrize("child", [SLEEPS, WRITES], ids=["it waits", "it makes its folder again"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_processes_end_with_their_owner(number: signal.Signals, child: str) -> None:
    program = OWNER.format(command=child)
    command = [sys.executable, "-c", program]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        sleeper, supervisor, folder = owner.stdout.readline().split()
        assert not gone(int(sleeper))
        assert Path(folder).is_dir()
        owner.send_signal(number)
    assert goes(int(sleeper), int(supervisor))
    assert vanishes(Path(folder))


def test_ctrl_c_reaches_only_the_owner() -> None:
    command = [sys.executable, "-c", HEARS]
    with started(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        os.killpg(owner.pid, signal.SIGINT)
        assert owner.stdout.readline() == "None\n"
        owner.kill()


def test_killed_supervisor_ends_its_processes() -> None:
    with Processes() as processes:
        sleeper = processes.start("sleeper", ["sleep", "600"])
        assert processes.pid("sleeper") == sleeper
        processes._supervisor.kill()
        assert goes(sleeper)
        with pytest.raises(ProcessError, match=r"supervisor of .* is gone"):
            processes.status("sleeper")
    assert not processes.folder.exists()


def test_the_supervisor_does_not_hear_ctrl_c() -> None:
    with Processes() as processes:
        processes.start("sleeper", ["sleep", "600"])
        os.kill(processes._supervisor.pid, signal.SIGINT)
        assert processes.status("sleeper") is None


def test_unexpected_exit_is_reported_with_its_log() -> None:
    with Processes() as processes:
        processes.start("complainer", ["sh", "-c", "echo out; echo no such luck >&2; exit 3"])
        assert processes.wait("complainer", 20) == 3
        with pytest.raises(ProcessError, match="complainer ended with status 3:\nout\nno such luck"):
            processes.require("complainer")


def test_name_of_a_running_process_is_refused() -> None:
    with Processes() as processes:
        processes.start("sleeper", ["sleep", "600"])
        with pytest.raises(ProcessError, match="sleeper is already running"):
            processes.start("sleeper", ["sleep", "600"])
        processes.signal("sleeper", signal.SIGKILL)
        assert processes.wait("sleeper", 20) == -signal.SIGKILL
        processes.start("sleeper", ["sleep", "600"])
        assert processes.status("sleeper") is None


def test_missing_program_and_unknown_name_are_errors() -> None:
    with Processes() as processes:
        with pytest.raises(ProcessError, match="No such file"):
            processes.start("ghost", ["/no/such/program"])
        with pytest.raises(ProcessError, match="ghost"):
            processes.status("ghost")


def test_folder_path_is_short_enough_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with Processes() as processes, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(processes.folder / "etcd.sock"))


def test_wait_ends_after_its_timeout() -> None:
    with Processes() as processes:
        processes.start("sleeper", ["sleep", "600"])
        with pytest.raises(TimeoutError, match="sleeper still runs"):
            processes.wait("sleeper", 0)
