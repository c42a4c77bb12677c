"""argparse in this project's manner: short errors that say what to type, help that keeps its examples' lines."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import atmpl
from atmpl.cli import terminal
from atmpl.cli.nearest import nearest

TOP = ("-h", "--help", "--version")  # all that may stand before a command
WRONG_USAGE = 2
OF_KUBECTL = ("-f", "--filename")  # what goes before a file's name there, and at `oc process`

DESCRIPTION = """\
Turn a KubeVirt virtual machine into a template, and a template into virtual machines.
"""

EPILOG = """\
examples:
  # a template of the virtual machine web, made by the cluster
  atmpl create --vm web

  # the same without one that knows how: the template goes to a file
  kubectl get virtualmachine web -o yaml | atmpl render - > web-template.yaml

  # a virtual machine of that template, with more memory
  atmpl process web-template.yaml -p REQUESTS_MEMORY=4Gi | kubectl create -f -

exit status, where a command's own help does not say more:
  0  done
  1  something was refused; standard error says what, and why
  2  wrong usage

`atmpl COMMAND --help` explains a command.
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs; blocks with indented lines (examples, tables) stand as they were written."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse forgets that commands are indented
            self._action_max_length += 2

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = text.strip("\n").split("\n\n")
        return "\n\n".join(
            block if "\n " in f"\n{block}" else argparse.HelpFormatter._fill_text(self, block, width, indent)  # noqa: SLF001 - its only hook
            for block in blocks
        )


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and a pointer to the help, and that guesses no abbreviations."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **kwargs)  # type: ignore[arg-type]
        self._words: list[str] = []  # what is being parsed

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or version; argparse itself would swallow the error where nothing can be written."""
        if file is sys.stdout:
            terminal.put(message.encode("utf-8", "replace"))
        else:
            super()._print_message(message, file)

    def parse_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse `args`, and keep them: an error looks in them for what was meant."""
        self._words = list(args or ())
        return super().parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say `message`, with what was most likely meant, and leave with 2."""
        terminal.error(f"{message}{self._meant(message)}")
        sys.stderr.write(f"{self.prog} --help says what can be typed.\n")
        sys.exit(WRONG_USAGE)

    def _meant(self, message: str) -> str:
        """Return what to type instead, behind a `;`, or nothing. `message` is argparse's or a command's own."""
        about, _, names = message.partition(": ")
        name = names.split(" ")[0]
        if about == "unrecognized arguments":
            if name in OF_KUBECTL:
                return f"; a FILE is named without {name}"
            if not name.startswith("-") and "=" in name and "-p" in self._option_string_actions:
                return f"; did you mean -p {name}?"
            return nearest(name.partition("=")[0], self._option_string_actions)
        if about == "the following arguments are required":
            first = next(iter(self._words), "-")
            if name.startswith("--") and not first.startswith("-"):
                return f"; did you mean {name} {first}?"
            unknown = (word for word in map(_option, self._words) if word and word not in self._option_string_actions)
            return next((meant for word in unknown if (meant := nearest(word, [name]))), self._choices(name))
        return self._choices(about.removeprefix("argument ")) if names == "expected one argument" else ""

    def _choices(self, name: str) -> str:
        """Return the words that an argument takes, as far as they are few; `name` is what argparse calls it."""
        for action in self._actions:
            if action.choices and name in ("/".join(action.option_strings), action.metavar):
                return f"; write one of {', '.join(map(str, action.choices))}"
        return ""


def top_parser(commands: Mapping[str, str]) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole line and, still without options, one for each of `commands` (name: help)."""
    top = Parser(prog=_typed(), description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"atmpl {atmpl.__version__}")
    slot = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    return top, {name: slot.add_parser(name, help=help) for name, help in commands.items()}


def _option(word: str) -> str:
    """Return the long option that a word of the line begins with, or nothing."""
    return word.partition("=")[0] if word.startswith("--") else ""


def _typed() -> str:
    """Return what the person typed to get here: kubectl finds its plugins by their names."""
    return "kubectl atmpl" if sys.argv[0].endswith("kubectl-atmpl") else "atmpl"
