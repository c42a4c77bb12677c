"""The `atmpl` command, and `kubectl atmpl`, which is the same.

COMMANDS is the table of what can be asked. A command is one module beside this one, imported only when it is typed, so
that `atmpl render` never pays for the cluster's side. Such a module has exactly the shape of `Command`:

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        # Set parser.description and parser.epilog (examples), then add the options. Must be cheap: help and shell
        # completion call it. Whatever is heavy (an HTTP client, YAML) is imported inside `run`.

    def run(args: argparse.Namespace) -> int:
        # Do it and return the exit status: 0 done, 1 something was refused. Raise CommandError for what a person must
        # mend, UsageError where only the whole line shows that it is wrong.

A new command is one module and one line of the table. What the commands share:

- in: inputs.py, documents.py and yaml/ (files), choices.py (how a template is to be made), values.py (parameters),
  flags.py (kubectl's options), durations.py;
- out: outputs.py (objects), table.py (parameters), terminal.py (all that a person is told), spinner.py, parser.py (help
  and wrong usage), nearest.py, errors.py;
- the cluster's side, imported only inside `run`: cluster.py (calls, and their errors as sentences), creation.py with
  follow.py and reasons.py (`create`), comparands.py (`diff`, whose comparison is drift.py).
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.nearest import nearest
from atmpl.cli.parser import TOP, Parser, top_parser


class Command(Protocol):
    """What a command's module exposes. The module's docstring above says more."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Describe the command and its options on `parser`."""

    def run(self, args: argparse.Namespace, /) -> int:
        """Do it; return the exit status. Raises CommandError and UsageError."""


class Entry(NamedTuple):
    """A line of the table: the word typed, one line of help, and the module that is imported for it."""

    name: str
    help: str
    module: str
    consecutive_failures: int = 1  # exit status of a CommandError; 1 means something else to diff


COMMANDS = (
    Entry("render", "turn virtual machines into templates; needs no cluster", "atmpl.cli.render"),
    Entry("process", "turn a template into its objects; needs no cluster", "atmpl.cli.process"),
    Entry("create", "ask a cluster for a template of one of its virtual machines", "atmpl.cli.create"),
    Entry("diff", "show what has changed between a template and its machine", "atmpl.cli.diff", consecutive_failures=2),
    Entry("controller", "serve the template requests of a cluster", "atmpl.cli.controller"),
    Entry("completion", "print what a shell needs to complete all this with Tab", "atmpl.cli.completion"),
)

CUT_OFF = 141  # what a shell reports where the reader of a pipe left early, as `| head` does


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: this process's) and return its exit status; 2 is wrong usage.

    Ctrl-C is answered by `atmpl.__main__`, which is there before all of this.
    """
    if "_ARGCOMPLETE" in os.environ:
        from atmpl.cli.completion import answer  # noqa: PLC0415 - only where a shell asks

        answer(full_parser())
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:  # closed, as by `>&-`: a stream that fails only where something is written
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    try:
        try:
            return _answer(words)
        finally:
            terminal.finish()  # also where the help leaves by SystemExit
    except CommandError as error:
        terminal.error(str(error))
        entry = _entry(words)
        return entry.consecutive_failures if entry else 1
    except BrokenPipeError:
        terminal.forget()
        return CUT_OFF


def _answer(words: list[str]) -> int:
    """Do what was typed. Raises CommandError; help, version and wrong usage leave by SystemExit."""
    top, parsers = top_parser({entry.name: entry.help for entry in COMMANDS})
    entry = _entry(words)
    if entry is None:
        if words and not words[0].startswith("-"):
            top.error(f"{words[0]} is no command{nearest(words[0], parsers)}")
        if (behind := next((word for word in words if word in parsers), None)) and words[0] not in TOP:
            top.error(f"{words[0]} goes behind the command: {top.prog} {behind} {words[0]} ...")
        top.parse_args(words)  # --help and --version leave from here
        top.error("no command given")
    command = _module(entry)
    command.add_arguments(parsers[entry.name])
    return _obey(command, parsers[entry.name], words[1:])


def _entry(words: list[str]) -> Entry | None:
    return next((entry for entry in COMMANDS if words[:1] == [entry.name]), None)


def full_parser() -> Parser:
    """Return the parser of the whole line with the options of every command."""
    top, parsers = top_parser({entry.name: entry.help for entry in COMMANDS})
    for entry in COMMANDS:
        _module(entry).add_arguments(parsers[entry.name])
    return top


def _module(entry: Entry) -> Command:
    return cast("Command", importlib.import_module(entry.module))


def _obey(command: Command, parser: Parser, words: Sequence[str]) -> int:
    args = parser.parse_intermixed_args(words)  # options may stand between files
    try:
        return command.run(args)
    except UsageError as wrong:
        parser.error(str(wrong))
