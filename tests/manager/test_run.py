"""The process before it has found a cluster."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from e2e.program import Program


def kubeconfig(folder: Path, script: str) -> Path:
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
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


async def test_without_a_way_to_a_cluster_it_says_why_and_ends(tmp_path: Path) -> None:
    process = controller(kubeconfig(tmp_path, "exit 3"))
    process.start()
    assert await asyncio.to_thread(process.end) == 1
    [line] = [line for line in process.lines if line["level"] == "error"]
    assert line["message"] == "no way to a cluster"
    assert line["why"].startswith(f"kubeconfig {tmp_path}/config: exec: it returned 3; it is the command at users[]")
    assert process.noise == []
