"""argparse in this project's manner: short errors that say what to type, help that keeps its examples' lines."""

import argparse
import sys
from collections.abc import Mapping
from typing import NoReturn

import atmpl
from atmpl.cli import terminal

WRONG_USAGE = 2

DESCRIPTION = """\
Turn a KubeVirt virtual machine into a template, and a template into virtual machines.
"""

EPILOG = """\
Examples:
  # a template of a virtual machine that runs on a cluster
  kubectl get virtualmachine web -o yaml | atmpl render -

  # a virtual machine of that template, with one parameter of one's own
  atmpl process web-template.yaml -p REQUESTS_MEMORY=4Gi | kubectl create -f -

`atmpl COMMAND --help` explains a command.
Exit status: 0 done, 1 something was refused, 2 wrong usage.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and a pointer to the help, and that guesses no abbreviations."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say `message` and leave with 2."""
        terminal.error(message)
        sys.stderr.write(f"{self.prog} --help says what can be typed.\n")
        sys.exit(WRONG_USAGE)


def top_parser(commands: Mapping[str, str]) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole line and, still without options, one for each of `commands` (name: help)."""
    top = Parser(prog=_typed(), description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"atmpl {atmpl.__version__}")
    slot = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    return top, {name: slot.add_parser(name, help=help) for name, help in commands.items()}


def _typed() -> str:
    """Return what the person typed to get here: kubectl finds its plugins by their names."""
    return "kubectl atmpl" if sys.argv[0].endswith("kubectl-atmpl") else "atmpl"
