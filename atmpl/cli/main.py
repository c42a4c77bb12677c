"""The `atmpl` command, which is also the kubectl plugin `kubectl atmpl`.

COMMANDS is the table of commands. A command is one module, imported only if it is typed, so that `atmpl render` does
not import what only cluster commands need. Such a module has the functions of `Command`:

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        # Set parser.description and parser.epilog (examples), then add the options. Must be fast: help and shell
        # completion call it. Import expensive modules (HTTP client, kubeconfig) inside `run`.

    def run(args: argparse.Namespace) -> int:
        # Do it and return the exit status: 0 success, 1 an error. Raise CommandError for an error that the user must
        # fix, UsageError for wrong usage that argparse cannot detect.

A new command is one module and one line of the table. Shared by the commands: manifests and yaml (input), output and
terminal, options and parser, client (the cluster) and errors.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.parser import TOP_OPTIONS, Parser, nearest, top_parser


class Command(Protocol):
    """The functions of a command's module."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Describe the command and its options on `parser`."""

    def run(self, args: argparse.Namespace, /) -> int:
        """Do it; return the exit status. Raises CommandError and UsageError."""


class Entry(NamedTuple):
    """A command: its name, one line of help, and its module."""

    name: str
    help: str
    module: str
    error_status: int = 1  # exit status of a CommandError; diff uses 1 for a difference


COMMANDS = (
    Entry("render", "turn virtual machines into templates; needs no cluster", "atmpl.cli.render"),
    Entry("process", "turn a template into its objects; needs no cluster", "atmpl.cli.process"),
    Entry("create", "let the cluster make a template of a virtual machine", "atmpl.cli.create"),
    Entry("instantiate", "create a virtual machine from a template in the cluster", "atmpl.cli.instantiate"),
    Entry("convert", "turn OpenShift templates into KubeVirt's; needs no cluster", "atmpl.cli.convert"),
    Entry("diff", "compare a template with its virtual machine", "atmpl.cli.diff", error_status=2),
    Entry("controller", "serve the template requests of a cluster", "atmpl.cli.controller"),
    Entry("completion", "print the script for completion in a shell", "atmpl.cli.completion"),
)

PIPE_CLOSED = 141  # the shell's status of a process that SIGPIPE ended, as with `| head`


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: that of this process) and return its exit status.

    `atmpl.__main__` handles Ctrl-C.
    """
    if "_ARGCOMPLETE" in os.environ:
        from atmpl.cli.completion import complete

        complete(full_parser())
    words = list(sys.argv[1:] if argv is None else argv)
    terminal.open_missing_streams()
    try:
        try:
            return _dispatch(words)
        finally:
            terminal.flush()  # also after --help, which raises SystemExit
    except CommandError as error:
        terminal.error(str(error))
        entry = _entry(words)
        return entry.error_status if entry else 1
    except BrokenPipeError:
        terminal.discard_stdout()
        return PIPE_CLOSED


def full_parser() -> Parser:
    """Return the parser of the whole line with the options of every command."""
    top, parsers = top_parser({entry.name: entry.help for entry in COMMANDS})
    for entry in COMMANDS:
        _module(entry).add_arguments(parsers[entry.name])
    return top


def _dispatch(words: list[str]) -> int:
    """Run the command that was typed. Raises CommandError; help, version and wrong usage raise SystemExit."""
    top, parsers = top_parser({entry.name: entry.help for entry in COMMANDS})
    entry = _entry(words)
    if entry is None:
        if words and not words[0].startswith("-"):
            top.error(f"{words[0]} is not a command{nearest(words[0], [*parsers, *TOP_OPTIONS])}")
        command_word = next((word for word in words if word in parsers), None)
        if command_word and words[0] not in TOP_OPTIONS:
            top.error(f"{words[0]} belongs after the command: {top.prog} {command_word} {words[0]} ...")
        top.parse_args(words)  # --help and --version exit here
        top.error("no command given")
    command = _module(entry)
    command.add_arguments(parsers[entry.name])
    return _run_command(command, parsers[entry.name], words[1:])


def _entry(words: list[str]) -> Entry | None:
    return next((entry for entry in COMMANDS if words[:1] == [entry.name]), None)


def _module(entry: Entry) -> Command:
    return cast("Command", importlib.import_module(entry.module))


def _run_command(command: Command, parser: Parser, words: Sequence[str]) -> int:
    args = parser.parse_intermixed_args(words)  # options can be between files
    try:
        return command.run(args)
    except UsageError as error:
        parser.error(str(error))
