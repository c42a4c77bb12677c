"""The process: its event loop, its signals, and its exit before it has loaded credentials."""

import asyncio
import json
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from atmpl.version import __version__
from e2e.program import Program

# A controller whose name server does not answer. uvloop resolves names itself, so it is hidden.
NO_NAMES = """
import os, socket, sys, time
sys.modules["uvloop"] = None
from atmpl.cli.main import main

def hang(*_, **__):  # in several threads at once: print() writes a line and its end one after the other
    os.write(1, b'{"message": "resolving", "level": "test"}\\n')
    time.sleep(60)

socket.getaddrinfo = hang
sys.exit(main())
"""

# A controller whose event loop is blocked, for example by rendering.
BLOCKED = """
import asyncio, sys, time
if sys.argv[1] == "asyncio":
    sys.modules["uvloop"] = None
from atmpl.manager import logs, run

async def main():
    run._handle_signals(asyncio.Event())
    print('{"message": "blocked", "level": "test"}', flush=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass

run.SIGNAL_TIMEOUT_SECONDS = 0.1
run.run(main())
sys.exit(7)
"""

LOOPS = [
    "asyncio",
    pytest.param("uvloop", marks=pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")),
]


@pytest.mark.parametrize("loop", LOOPS)
async def test_run_uses_uvloop_if_it_is_installed(loop: str) -> None:
    code = """
import asyncio, sys
if sys.argv[1] == "asyncio":
    sys.modules["uvloop"] = None
from atmpl.manager.run import run

async def main():
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]

print(run(main()))
"""
    command = [sys.executable, "-c", code, loop]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0].decode().strip() == loop


@pytest.mark.parametrize("loop", LOOPS)
async def test_sigterm_ends_a_blocked_event_loop(loop: str) -> None:
    process = Program([sys.executable, "-c", BLOCKED, loop])
    process.start()
    await asyncio.to_thread(process.logged, lambda line: line["message"] == "blocked")
    process.send(signal.SIGTERM)
    assert await asyncio.to_thread(process.end) == 0


@pytest.mark.parametrize("loop", LOOPS)
async def test_second_signal_ends_at_once(loop: str) -> None:
    code = BLOCKED.replace("SIGNAL_TIMEOUT_SECONDS = 0.1", "SIGNAL_TIMEOUT_SECONDS = 60")
    process = Program([sys.executable, "-c", code, loop])
    process.start()
    await asyncio.to_thread(process.logged, lambda line: line["message"] == "blocked")
    process.send(signal.SIGTERM)
    process.send(signal.SIGINT)
    assert await asyncio.to_thread(process.end) in {128 + 2, 128 + 15}


def kubeconfig(folder: Path, script: str) -> Path:
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://nowhere.test"}}],
        "users": [{"name": "me", "user": {"exec": plugin}}],
    }
    (folder / "config").write_text(json.dumps(config))
    return folder / "config"


def controller(file: Path) -> Program:
    return Program(
        [
            sys.executable,
            "-X",
            "dev",
            "-m",
            "e2e.blocking_check",
            "controller",
            f"--kubeconfig={file}",
            "--bind=127.0.0.1:0",
        ]
    )


async def read_line(fifo: int) -> bytes:
    """Read what a child writes; a child that writes nothing fails the test and not the whole run."""
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fifo, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), 30)
        return os.read(fifo, 100)
    finally:
        loop.remove_reader(fifo)
        os.close(fifo)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_exec_plugin(number: signal.Signals, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started")
    fifo = os.open(tmp_path / "started", os.O_RDWR | os.O_NONBLOCK)  # a reader that does not wait for a writer
    process = controller(kubeconfig(tmp_path, f"echo $$ > {tmp_path}/started; exec sleep 60"))
    process.start()
    plugin = int(await read_line(fifo))
    process.send(number)
    assert await asyncio.to_thread(process.end) == 0
    assert process.noise == []
    messages = [line["message"] for line in process.lines]
    assert "stopped" in messages
    assert "credentials loaded" not in messages
    with pytest.raises(ProcessLookupError):
        os.kill(plugin, 0)


async def test_sigterm_does_not_wait_for_a_name_server(tmp_path: Path) -> None:
    token = "echo '" + json.dumps(
        {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    )
    file = kubeconfig(tmp_path, f"{token}'")
    process = Program([sys.executable, "-c", NO_NAMES, "controller", f"--kubeconfig={file}", "--bind=127.0.0.1:0"])
    process.start()
    await asyncio.to_thread(process.logged, lambda line: line["message"] == "resolving")
    process.send(signal.SIGTERM)
    await asyncio.to_thread(process.logged, lambda line: line["message"] == "stopped")
    assert await asyncio.to_thread(process.end) == 0  # else it would be killed, after 30 s


async def test_credentials_error_is_logged_and_exits_1(tmp_path: Path) -> None:
    process = controller(kubeconfig(tmp_path, "exit 3"))
    process.start()
    assert await asyncio.to_thread(process.end) == 1
    assert process.lines[0]["version"] == __version__
    [line] = [line for line in process.lines if line["level"] == "error"]
    assert line["message"] == "cannot load cluster credentials"
    assert line["why"].startswith(f"kubeconfig {tmp_path}/config: exec: the plugin returned exit status 3; ")
    assert process.noise == []
