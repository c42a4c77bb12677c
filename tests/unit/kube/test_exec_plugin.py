"""A kubeconfig's plugin: asked before what it gave expires, ended where it does not answer, and never repeated."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from atmpl.kube.auth import CredentialsError
from atmpl.kube.auth.exec_plugin import EARLY, ExecPlugin

TOKEN = "t0k3n-that-nobody-may-see"
KIND = "client.authentication.k8s.io/v1"
NOON = 1_900_000_000.0  # 2030-03-17T17:46:40Z


def said(**status: Any) -> str:
    return f"echo '{json.dumps({'apiVersion': KIND, 'kind': 'ExecCredential', 'status': status})}'"


class Wall:
    """A clock that hangs on the wall."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time


class Program:
    """A plugin's program, and how often it was started."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {"apiVersion": KIND, "command": "./plugin", "args": [f"--secret={TOKEN}"]}
        self.write(script)

    def write(self, script: str) -> None:
        program = self.folder / "plugin"
        program.write_text(f"#!/bin/sh\necho started >> {self.folder / 'log'}\n{script}\n")
        program.chmod(0o700)

    @property
    def starts(self) -> int:
        log = self.folder / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0


async def test_a_token_without_an_end_is_kept_until_it_is_refused(tmp_path: Path) -> None:
    program, wall = Program(tmp_path, said(token=TOKEN)), Wall()
    plugin = ExecPlugin(wall)
    assert (await plugin.credential(program.config, tmp_path)) == (TOKEN, "", "", None)
    wall.time += 10 * 365 * 86400
    await plugin.credential(program.config, tmp_path)
    assert program.starts == 1
    plugin.forget()
    await plugin.credential(program.config, tmp_path)
    assert program.starts == 2


ENDS = {
    "a token": {"token": TOKEN},
    "a certificate": {"clientCertificateData": "CERT", "clientKeyData": "KEY"},
}


@pytest.mark.parametrize("given", ENDS.values(), ids=ENDS)
async def test_the_program_is_asked_again_five_minutes_before_the_end(given: dict[str, str], tmp_path: Path) -> None:
    program, wall = Program(tmp_path, said(**given, expirationTimestamp="2030-03-17T18:46:40Z")), Wall()
    plugin = ExecPlugin(wall)
    found = await plugin.credential(program.config, tmp_path)
    assert found.expires == NOON + 3600
    assert (found.certificate, found.key) == (given.get("clientCertificateData", ""), given.get("clientKeyData", ""))
    wall.time = NOON + 3600 - EARLY - 1
    await plugin.credential(program.config, tmp_path)
    assert program.starts == 1
    wall.time += 1
    program.write(said(token="next"))
    assert (await plugin.credential(program.config, tmp_path)).token == "next"
    assert program.starts == 2


async def test_a_plugin_that_is_configured_otherwise_is_another(tmp_path: Path) -> None:
    program = Program(tmp_path, said(token=TOKEN))
    plugin = ExecPlugin(Wall())
    await plugin.credential(program.config, tmp_path)
    await plugin.credential(program.config | {"args": ["--other"]}, tmp_path)
    assert program.starts == 2


async def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    program = Program(tmp_path, "exit 1")
    plugin = ExecPlugin(Wall())
    with pytest.raises(CredentialsError):
        await plugin.credential(program.config, tmp_path)
    program.write(said(token=TOKEN))
    assert (await plugin.credential(program.config, tmp_path)).token == TOKEN


async def test_the_program_gets_arguments_and_environment_and_nobody_to_talk_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "i")
    program = Program(
        tmp_path, f'cat; echo "$* $MORE $INHERITED $KUBERNETES_EXEC_INFO" > {tmp_path}/seen; {said(token="t")}'
    )
    program.config |= {"args": ["a b", 5], "env": [{"name": "MORE", "value": "m"}]}
    await ExecPlugin(Wall()).credential(program.config, tmp_path)
    args, _, info = (tmp_path / "seen").read_text().partition("{")
    assert args == "a b 5 m i "
    assert json.loads("{" + info) == {"apiVersion": KIND, "kind": "ExecCredential", "spec": {"interactive": False}}


WRONG: dict[str, tuple[str, str]] = {  # what the program does, and what is said of it
    "fails": (f"echo {TOKEN}; echo {TOKEN} >&2; exit 3", "exec: it returned 3"),
    "says nothing": ("", "exec: what it said is no JSON"),
    "says no JSON": (f"echo {TOKEN}", "exec: what it said is no JSON"),
    "says no UTF-8": (r"printf '\377'", "exec: what it said is no JSON"),
    "says a list": (f"echo '[\"{TOKEN}\"]'", "exec: what it said is no ExecCredential with a status"),
    "says half of it": (f'echo \'{{"status": {{"token": "{TOKEN}"}}}}\'', "exec: what it said is no ExecCredential"),
    "says another kind": (
        f'echo \'{{"apiVersion": "{KIND}", "kind": "{TOKEN}", "status": {{}}}}\'',
        "exec: what it said is no ExecCredential",
    ),
    "speaks another version": (
        f'echo \'{{"apiVersion": "{TOKEN}", "kind": "ExecCredential", "status": {{"token": "{TOKEN}"}}}}\'',
        "exec: it speaks another apiVersion than the kubeconfig's",
    ),
    "gives nothing": (said(), "exec: it gave neither a token nor a certificate with its key"),
    "gives half a pair": (said(token=TOKEN, clientCertificateData="C"), "exec: it gave neither a token nor"),
    "gives a number": (said(token=5), "exec: its token or certificate is no text"),
    "ends at no time": (said(token=TOKEN, expirationTimestamp="soon"), "exec: its expirationTimestamp is no time"),
    "ends at a number": (said(token=TOKEN, expirationTimestamp=5), "exec: its expirationTimestamp is no time"),
    "ends nowhere": (said(token=TOKEN, expirationTimestamp="2030-03-17T18:46:40"), "exec: its expirationTimestamp"),
}


@pytest.mark.parametrize(("script", "what"), WRONG.values(), ids=WRONG)
async def test_it_is_said_what_is_wrong_and_never_what_the_program_said(
    script: str, what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CredentialsError) as error:
        await ExecPlugin(Wall()).credential(Program(tmp_path, script).config, tmp_path)
    assert str(error.value).startswith(what)
    assert str(error.value).endswith("it is the command at users[].user.exec: run it by hand to see what it says")
    assert TOKEN not in str(error.value) + caplog.text


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "no command": ({"command": None}, "needs a command and an apiVersion"),
    "no version": ({"apiVersion": 1}, "needs a command and an apiVersion"),
    "args that are none": ({"args": "a"}, "args and env of users[].user.exec are not lists"),
    "env that is none": ({"env": {"a": "b"}}, "args and env of users[].user.exec are not lists"),
    "env of texts": ({"env": [TOKEN]}, "env of users[].user.exec is not a list of names and values"),
    "env without a value": ({"env": [{"name": TOKEN}]}, "env of users[].user.exec is not a list of names and values"),
    "a program that is not there": ({"command": "./not-there"}, "exec: the program does not start (No such file or"),
    "a program that is not on PATH": ({"command": "no-such-plugin-anywhere"}, "exec: the program does not start"),
    "a program that is none": ({"command": "./log"}, "exec: the program does not start (Permission denied)"),
}


@pytest.mark.parametrize(("config", "what"), CONFIGS.values(), ids=CONFIGS)
async def test_a_configuration_that_is_wrong_is_said_to_be(config: dict[str, Any], what: str, tmp_path: Path) -> None:
    program = Program(tmp_path, said(token=TOKEN))
    (tmp_path / "log").write_text("")
    with pytest.raises(CredentialsError) as error:
        await ExecPlugin(Wall()).credential(program.config | config, tmp_path)
    assert what in str(error.value)
    assert TOKEN not in str(error.value)


async def started(folder: Path) -> int:
    """The number of the program's process, once it runs."""
    async with asyncio.timeout(10):
        while not (folder / "pid").exists() or not (folder / "pid").read_text().strip():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
    return int((folder / "pid").read_text())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atmpl.kube.auth.exec_plugin.TIME", 0.5)
    program = Program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(CredentialsError, match=r"exec: no answer in 0 s|exec: no answer in 1 s"):
        await ExecPlugin(Wall()).credential(program.config, tmp_path)
    assert not is_alive(await started(tmp_path))


async def test_a_program_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    program = Program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    task = asyncio.create_task(ExecPlugin(Wall()).credential(program.config, tmp_path))
    process = await started(tmp_path)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not is_alive(process)
