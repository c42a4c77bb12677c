"""Exec plugins: renewed before a credential expires, ended if they hang, and never quoted."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from atmpl.kube.auth import CredentialsError
from atmpl.kube.auth.exec_plugin import EXPIRY_MARGIN_SECONDS, Credential, ExecPlugin
from tests.support.platforms import needs_posix

TOKEN = "t0k3n-that-must-not-be-shown"
KIND = "client.authentication.k8s.io/v1"
NOON = 1_900_000_000.0  # 2030-03-17T17:46:40Z


def print_credential(**status: Any) -> str:
    return f"echo '{json.dumps({'apiVersion': KIND, 'kind': 'ExecCredential', 'status': status})}'"


class Wall:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time


class Program:
    """A plugin's program; `starts` counts its runs."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {"apiVersion": KIND, "command": "./plugin", "args": [f"--secret={TOKEN}"]}
        self.write(script)

    def write(self, script: str) -> None:
        needs_posix("shell scripts")
        program = self.folder / "plugin"
        program.write_text(f"#!/bin/sh\necho started >> {self.folder / 'log'}\n{script}\n")
        program.chmod(0o700)

    @property
    def starts(self) -> int:
        log = self.folder / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0


async def test_token_without_expiry_is_kept_until_refused(tmp_path: Path) -> None:
    program, wall = Program(tmp_path, print_credential(token=TOKEN)), Wall()
    plugin = ExecPlugin(wall)
    assert (await plugin.credential(program.config, tmp_path)) == Credential(TOKEN, "", "", None)
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
async def test_credential_is_renewed_before_it_expires(given: dict[str, str], tmp_path: Path) -> None:
    program, wall = Program(tmp_path, print_credential(**given, expirationTimestamp="2030-03-17T18:46:40Z")), Wall()
    plugin = ExecPlugin(wall)
    found = await plugin.credential(program.config, tmp_path)
    assert found.expires == NOON + 3600
    assert (found.certificate, found.key) == (given.get("clientCertificateData", ""), given.get("clientKeyData", ""))
    wall.time = NOON + 3600 - EXPIRY_MARGIN_SECONDS - 1
    await plugin.credential(program.config, tmp_path)
    assert program.starts == 1
    wall.time += 1
    program.write(print_credential(token="next"))
    assert (await plugin.credential(program.config, tmp_path)).token == "next"
    assert program.starts == 2


async def test_changed_configuration_runs_the_plugin_again(tmp_path: Path) -> None:
    program = Program(tmp_path, print_credential(token=TOKEN))
    plugin = ExecPlugin(Wall())
    await plugin.credential(program.config, tmp_path)
    await plugin.credential(program.config | {"args": ["--other"]}, tmp_path)
    assert program.starts == 2


async def test_failed_plugin_is_run_again(tmp_path: Path) -> None:
    program = Program(tmp_path, "exit 1")
    plugin = ExecPlugin(Wall())
    with pytest.raises(CredentialsError):
        await plugin.credential(program.config, tmp_path)
    program.write(print_credential(token=TOKEN))
    assert (await plugin.credential(program.config, tmp_path)).token == TOKEN


async def test_plugin_gets_arguments_and_environment_but_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "i")
    program = Program(
        tmp_path,
        f'cat; echo "$* $MORE $INHERITED $KUBERNETES_EXEC_INFO" > {tmp_path}/seen; {print_credential(token="t")}',
    )
    program.config |= {"args": ["a b", 5], "env": [{"name": "MORE", "value": "m"}]}
    await ExecPlugin(Wall()).credential(program.config, tmp_path)
    args, _, info = (tmp_path / "seen").read_text().partition("{")
    assert args == "a b 5 m i "
    assert json.loads("{" + info) == {"apiVersion": KIND, "kind": "ExecCredential", "spec": {"interactive": False}}


WRONG: dict[str, tuple[str, str]] = {  # what the program does, and the error
    "fails": (f"echo {TOKEN}; echo {TOKEN} >&2; exit 3", "exec: the plugin returned exit status 3"),
    "no output": ("", "exec: the output is not valid JSON"),
    "output that is not JSON": (f"echo {TOKEN}", "exec: the output is not valid JSON"),
    "output that is not UTF-8": (r"printf '\377'", "exec: the output is not valid JSON"),
    "output that is a list": (f"echo '[\"{TOKEN}\"]'", "exec: the output is not an ExecCredential with a status"),
    "output that is cut": (
        f'echo \'{{"status": {{"token": "{TOKEN}"}}}}\'',
        "exec: the output is not an ExecCredential",
    ),
    "output of another kind": (
        f'echo \'{{"apiVersion": "{KIND}", "kind": "{TOKEN}", "status": {{}}}}\'',
        "exec: the output is not an ExecCredential",
    ),
    "output of another version": (
        f'echo \'{{"apiVersion": "{TOKEN}", "kind": "ExecCredential", "status": {{"token": "{TOKEN}"}}}}\'',
        "exec: the output has another apiVersion than the kubeconfig",
    ),
    "gives nothing": (print_credential(), "exec: the output has neither a token nor a certificate with its key"),
    "gives half a pair": (
        print_credential(token=TOKEN, clientCertificateData="C"),
        "exec: the output has neither a token nor",
    ),
    "gives a number": (print_credential(token=5), "exec: the token or certificate is not a string"),
    "ends at no time": (
        print_credential(token=TOKEN, expirationTimestamp="soon"),
        "exec: expirationTimestamp is not an RFC 3339 time",
    ),
    "ends at a number": (
        print_credential(token=TOKEN, expirationTimestamp=5),
        "exec: expirationTimestamp is not an RFC 3339 time",
    ),
    "ends nowhere": (
        print_credential(token=TOKEN, expirationTimestamp="2030-03-17T18:46:40"),
        "exec: expirationTimestamp",
    ),
}


@pytest.mark.parametrize(("script", "what"), WRONG.values(), ids=WRONG)
async def test_plugin_error_hides_the_output(
    script: str, what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CredentialsError) as error:
        await ExecPlugin(Wall()).credential(Program(tmp_path, script).config, tmp_path)
    assert str(error.value).startswith(what)
    assert str(error.value).endswith("run the command at users[].user.exec by hand to see its output")
    assert TOKEN not in str(error.value) + caplog.text


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "no command": ({"command": None}, "needs a command and an apiVersion"),
    "no version": ({"apiVersion": 1}, "needs a command and an apiVersion"),
    "args that are none": ({"args": "a"}, "args and env of users[].user.exec must be lists"),
    "env that is none": ({"env": {"a": "b"}}, "args and env of users[].user.exec must be lists"),
    "env of texts": ({"env": [TOKEN]}, "env of users[].user.exec must be a list of names and values"),
    "env without a value": ({"env": [{"name": TOKEN}]}, "env of users[].user.exec must be a list of names and values"),
    "a program that is not there": ({"command": "./not-there"}, "exec: the program cannot be started (No such file or"),
    "a program that is not on PATH": (
        {"command": "no-such-plugin-anywhere"},
        "exec: the program is not installed, or not in PATH",
    ),
    "a program that is none": ({"command": "./log"}, "exec: the program cannot be started (Permission denied)"),
}


@pytest.mark.parametrize(("config", "what"), CONFIGS.values(), ids=CONFIGS)
async def test_invalid_configuration_is_named(config: dict[str, Any], what: str, tmp_path: Path) -> None:
    program = Program(tmp_path, print_credential(token=TOKEN))
    (tmp_path / "log").write_text("")
    with pytest.raises(CredentialsError) as error:
        await ExecPlugin(Wall()).credential(program.config | config, tmp_path)
    assert what in str(error.value)
    assert TOKEN not in str(error.value)


async def started(folder: Path) -> int:
    """Return the program's process id once it runs."""
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


async def test_plugin_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atmpl.kube.auth.exec_plugin.TIMEOUT_SECONDS", 0.5)
    program = Program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(CredentialsError, match=r"did not return within"):
        await ExecPlugin(Wall()).credential(program.config, tmp_path)
    assert not is_alive(await started(tmp_path))


async def test_cancelled_plugin_is_killed(tmp_path: Path) -> None:
    program = Program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    task = asyncio.create_task(ExecPlugin(Wall()).credential(program.config, tmp_path))
    process = await started(tmp_path)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not is_alive(process)


async def test_child_of_a_plugin_does_not_extend_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atmpl.kube.auth.exec_plugin.TIMEOUT_SECONDS", 0.5)
    program = Program(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(CredentialsError, match="did not return within"):
        await ExecPlugin(Wall()).credential(program.config, tmp_path)
    child = await started(tmp_path)
    async with asyncio.timeout(10):
        while is_alive(child) and not is_zombie(child):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)


def is_zombie(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def test_child_that_keeps_the_output_open_does_not_delay_it(tmp_path: Path) -> None:
    program = Program(tmp_path, f"setsid sleep 60 & echo $! > {tmp_path}/pid; {print_credential(token=TOKEN)}")
    async with asyncio.timeout(30):
        assert (await ExecPlugin(Wall()).credential(program.config, tmp_path)).token == TOKEN
    os.kill(await started(tmp_path), 9)


@pytest.mark.parametrize("interactive", [True, False])
async def test_plugin_messages_reach_only_the_user_of_a_command(
    interactive: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = Program(tmp_path, f"echo 'enter code ABC' >&2; {print_credential(token=TOKEN)}")
    await ExecPlugin(Wall(), interactive=interactive).credential(program.config, tmp_path)
    assert capfd.readouterr() == ("", "enter code ABC\n" if interactive else "")


class Terminal:
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


MODES: dict[str, tuple[str | None, bool, bool]] = {  # interactiveMode, a user's command on a terminal: who reads it
    "no mode": (None, True, True),
    "if available": ("IfAvailable", True, True),
    "if available, and it is not": ("IfAvailable", False, False),
    "never": ("Never", True, False),
    "always": ("Always", True, True),
}


@pytest.mark.parametrize(("mode", "user", "terminal"), MODES.values(), ids=MODES)
async def test_plugin_uses_the_terminal_as_its_mode_says(
    mode: str | None, user: bool, terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    program = Program(tmp_path, f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; {print_credential(token=TOKEN)}')
    config = program.config | ({"interactiveMode": mode} if mode else {})
    await ExecPlugin(Wall(), interactive=user).credential(config, tmp_path)
    assert json.loads((tmp_path / "info").read_text())["spec"] == {"interactive": terminal}


@pytest.mark.parametrize("stdin", [None, open(os.devnull)], ids=["closed", "no terminal"])  # noqa: PTH123, SIM115
async def test_plugin_that_needs_a_terminal_is_not_run_without(
    stdin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    program = Program(tmp_path, print_credential(token=TOKEN))
    for user in (True, False):
        with pytest.raises(CredentialsError, match="needs a terminal"):
            await ExecPlugin(Wall(), interactive=user).credential(
                program.config | {"interactiveMode": "Always"}, tmp_path
            )
    assert program.starts == 0


async def test_install_hint_is_in_the_error(tmp_path: Path) -> None:
    config = {"apiVersion": KIND, "command": "no-such-plugin-anywhere", "installHint": "run brew"}
    with pytest.raises(CredentialsError) as error:
        await ExecPlugin(Wall()).credential(config, tmp_path)
    assert str(error.value).endswith("\nrun brew")


async def test_program_is_found_as_the_system_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, emulated here, `which` adds .cmd."""
    program = Program(tmp_path, print_credential(token=TOKEN))
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / "plugin") if name == "gke-plugin" else None)
    config = program.config | {"command": "gke-plugin"}
    assert (await ExecPlugin(Wall()).credential(config, tmp_path)).token == TOKEN
