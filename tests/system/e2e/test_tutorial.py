"""Run the commands of the tutorial, and compare what they print with what it shows."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[3]
TUTORIAL = (CHECKOUT / "e2e" / "demo" / "README.md").read_text()

UP = "python -m e2e.envtest up"  # the one command of the first terminal
ACTIVATE = ". .venv/bin/activate"  # the tests have their own environment
ENV = ". /tmp/atmpl-"  # the beginning of the line that `up` prints for the second terminal
PROSE = "atmpl create "  # prints sentences, which are not compared
DONE = "-- done"


class Command(NamedTuple):
    """A command of the tutorial, and the output that is shown for it."""

    command: str
    shown: list[str]


def commands() -> Iterator[Command]:
    """Every command of the tutorial, in order."""
    for block in re.findall(r"```console\n(.*?)```", TUTORIAL, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, rest = re.sub(r"\\\n +", "", part).partition("\n")
            yield Command(command, rest.splitlines())


COMMANDS = list(commands())


@contextmanager
def first_terminal(tmp: Path) -> Iterator[str]:
    """The API server of the first terminal; yields the line to type in the second one."""
    with subprocess.Popen(
        [sys.executable, *UP.split()[1:]],
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(tmp)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        try:
            assert up.stderr is not None
            for line in up.stderr:
                if line.startswith("  . "):
                    yield line.strip()
                    break
            else:
                pytest.fail("the API server did not come up")
        finally:
            up.terminate()
            up.communicate(timeout=30)


class SecondTerminal:
    """One shell for all commands of the tutorial."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc", "-m"],
            cwd=CHECKOUT,
            env=os.environ | {"COLUMNS": "80"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, command: str) -> str:
        """Run a command; return what it prints."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\necho '{DONE}'\n")
        self._shell.stdin.flush()
        lines = iter(self._shell.stdout.readline, f"{DONE}\n")
        return "".join(lines)

    def close(self) -> None:
        self._shell.communicate("kill %1; wait\n", timeout=30)


def pattern(line: str) -> str:
    """A shown line as a regular expression: generated names, ages, widths and shortened values of columns differ."""
    line = re.sub(r"-[a-z0-9]{5}(?= created$)", "-@", line)
    line = re.sub(r"\b\d+s$", "@", line)
    words = [re.escape(word).replace("@", r"\w+").replace("…", r"\S*") for word in line.split()]
    return r"^\s*" + r"\s+".join(words)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_tutorial_commands_print_what_is_shown(tmp_path: Path) -> None:
    assert [COMMANDS[0].command, COMMANDS[1].command] == [ACTIVATE, UP]
    with first_terminal(tmp_path) as env:
        terminal = SecondTerminal()
        try:
            for command, shown in COMMANDS[2:]:
                answer = terminal.type(env if command.startswith(ENV) else command)
                rest = answer
                for line in () if command.startswith(PROSE) else shown:
                    found = re.search(pattern(line), rest, re.MULTILINE)
                    assert found, f"$ {command}\n{line}\nis not in\n{answer}"
                    rest = rest[found.end() :]
                if not shown and command.startswith("atmpl diff"):
                    assert answer == ""
        finally:
            terminal.close()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("atmpl-")] == []


def test_tutorial_fits_80_columns() -> None:
    blocks = re.findall(r"```console\n(.*?)```", TUTORIAL, re.DOTALL)
    assert [line for block in blocks for line in block.splitlines() if len(line) > 80] == []
