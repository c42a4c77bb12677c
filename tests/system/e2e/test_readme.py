"""What README tells a newcomer to type works, and shows what README shows; its links lead somewhere."""

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
README = (CHECKOUT / "README.md").read_text()
TUTORIAL = README.partition("## Five minutes with it\n")[2].partition("\n## ")[0]

UP = "python -m e2e.controlplane up"  # the one command of the first terminal
ACTIVATE = ". .venv/bin/activate"  # here the tests' own environment is it
ENV = ". /tmp/atmpl-controlplane-"  # how the line begins that a person types as `up` shows it
DONE = "-- done"


class Typed(NamedTuple):
    """A command of the tutorial, and what README shows of its answer."""

    command: str
    shown: list[str]


def typed() -> Iterator[Typed]:
    """Every command of the tutorial, in its order."""
    for block in re.findall(r"```console\n(.*?)```", TUTORIAL, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, rest = re.sub(r"\\\n +", "", part).partition("\n")
            yield Typed(command, rest.splitlines())


COMMANDS = list(typed())


@contextmanager
def first_terminal(tmp: Path) -> Iterator[str]:
    """The API server of the first terminal; the line that it says to type in another one."""
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
    """A shell that lives through the tutorial, as a person's does."""

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
        """Type a command; what it answers."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\necho '{DONE}'\n")
        self._shell.stdin.flush()
        lines = iter(self._shell.stdout.readline, f"{DONE}\n")
        return "".join(lines)

    def close(self) -> None:
        self._shell.communicate("kill %1; wait\n", timeout=30)


def pattern(line: str) -> str:
    """A line of README as a regular expression: names, ages and the width of columns are a run's own."""
    line = re.sub(r"-[a-z0-9]{5}(?= created$)", "-@", line)
    line = re.sub(r"\b\d+s$", "@", line)
    words = [re.escape(word).replace("@", r"\w+") for word in line.split()]
    return r"^\s*" + r"\s+".join(words)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.apiserver
@pytest.mark.private
def test_every_command_of_the_tutorial_does_what_it_shows(tmp_path: Path) -> None:
    assert [COMMANDS[0].command, COMMANDS[1].command] == [ACTIVATE, UP]
    with first_terminal(tmp_path) as env:
        terminal = SecondTerminal()
        try:
            for command, shown in COMMANDS[2:]:
                answer = terminal.type(env if command.startswith(ENV) else command)
                rest = answer
                for line in shown:
                    found = re.search(pattern(line), rest, re.MULTILINE)
                    assert found, f"$ {command}\n{line}\nis not in\n{answer}"
                    rest = rest[found.end() :]
                if not shown and command.startswith("atmpl diff"):
                    assert answer == ""
        finally:
            terminal.close()
    assert [each.name for each in tmp_path.iterdir() if "controlplane" in each.name] == []


def test_the_tutorial_fits_a_terminal_of_80_columns() -> None:
    blocks = re.findall(r"```console\n(.*?)```", TUTORIAL, re.DOTALL)
    assert [line for block in blocks for line in block.splitlines() if len(line) > 80] == []


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 40
    broken = [
        link
        for link in links
        if not link.startswith("https://")
        and not (link[1:] in anchors(README) if link.startswith("#") else (CHECKOUT / link.partition("#")[0]).exists())
    ]
    assert broken == []
