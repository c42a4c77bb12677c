"""The process before it has found a cluster."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from e2e.program import Program

# A controller whose name server does not answer.
NO_NAMES = """
import socket, sys, time
from atmpl.cli import main

def hang(*_, **__):
    print('{"message": "asked", "level": "test"}', flush=True)
    time.sleep(60)

socket.getaddrinfo = hang
sys.exit(main())
"""


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
        [sys.executable, "-X", "dev", "-m", "e2e.blocking", "controller", f"--kubeconfig={file}", "--bind=127.0.0.1:0"]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_end_it_waits_for_no_plugin_and_leaves_none_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "started")
    process = controller(kubeconfig(tmp_path, f"echo $$ > {tmp_path}/started; exec sleep 60"))
    process.start()
    plugin = int(await asyncio.to_thread((tmp_path / "started").read_text))
    process.send(number)
    assert await asyncio.to_thread(process.end) == 0
    assert process.noise == []
    said = [line["message"] for line in process.lines]
    assert "stopped" in said
    assert "starting" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(plugin, 0)


async def test_asked_to_end_it_waits_for_no_name_server(tmp_path: Path) -> None:
    token = "echo '" + json.dumps(
        {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    )
    file = kubeconfig(tmp_path, f"{token}'")
    process = Program([sys.executable, "-c", NO_NAMES, "controller", f"--kubeconfig={file}", "--bind=127.0.0.1:0"])
    process.start()
    await asyncio.to_thread(process.logged, lambda line: line["message"] == "asked")
    process.send(signal.SIGTERM)
    await asyncio.to_thread(process.logged, lambda line: line["message"] == "stopped")
    assert await asyncio.to_thread(process.end) == 0  # else it would be killed, after 30 s


async def test_without_a_way_to_a_cluster_it_says_why_and_ends(tmp_path: Path) -> None:
    process = controller(kubeconfig(tmp_path, "exit 3"))
    process.start()
    assert await asyncio.to_thread(process.end) == 1
    [line] = [line for line in process.lines if line["level"] == "error"]
    assert line["message"] == "no way to a cluster"
    assert line["why"].startswith(f"kubeconfig {tmp_path}/config: exec: it returned 3; it is the command at users[]")
    assert process.noise == []
