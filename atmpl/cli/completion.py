"""Shell completion: `atmpl completion` prints what a shell must know, and each Tab then asks `answer`.

argcomplete does the work for all shells, from the same parsers that read the command line. kubectl has a protocol of
its own for its plugins: it runs `kubectl_complete-atmpl`, which is `kubectl` here.
"""

import argparse
import io
import os
import shlex
import sys

import argcomplete
from argcomplete.completers import SuppressCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.shell_integration import shellcode

from atmpl.cli import terminal

DESCRIPTION = """\
Print what a shell needs to complete commands, options and parameters with Tab.
"""

EPILOG = """\
examples:
  # bash, as a line of ~/.bashrc
  source <(atmpl completion bash)

  # zsh, as a line of ~/.zshrc, after compinit
  source <(atmpl completion zsh)

  # fish
  atmpl completion fish > ~/.config/fish/completions/atmpl.fish

kubectl atmpl needs nothing of this: kubectl's own completion finds it.
"""

SHELLS = ("bash", "zsh", "fish")

_DEFAULT, _NO_SPACE = ":0\n", ":2\n"  # cobra's directives; by default files are completed where there is no candidate
_QUESTION = {  # how argcomplete is asked for candidates as kubectl wants them
    "_ARGCOMPLETE": "1",
    "_ARGCOMPLETE_SHELL": "fish",
    "_ARGCOMPLETE_IFS": "\n",
    "_ARGCOMPLETE_DFS": "\t",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl completion` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"whose Tab it is: {', '.join(SHELLS)}")


def run(args: argparse.Namespace) -> int:
    """Print the script of one shell."""
    terminal.put(f"{shellcode(['atmpl'], shell=args.shell).strip()}\n".encode())
    return 0


def answer(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks what could be typed, and leave: the question is in the environment."""
    argcomplete.autocomplete(parser, always_complete_options=False)


def kubectl() -> int:
    """Answer kubectl, whose question is the arguments: a candidate a line, its help behind a tab, then a directive."""
    from atmpl.cli import full_parser  # noqa: PLC0415 - it knows this module only by its name

    words = sys.argv[1:] or [""]
    line = " ".join(["atmpl", *map(shlex.quote, words[:-1]), words[-1]])
    os.environ |= _QUESTION | {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    found = io.StringIO()
    CompletionFinder()(
        full_parser(),
        always_complete_options=False,
        exit_method=lambda _status: None,
        output_stream=found,
        append_space=False,
        default_completer=SuppressCompleter(),
    )
    candidates = [each for each in found.getvalue().split("\n") if each]
    sys.stdout.writelines(f"{each}\n" for each in candidates)
    unfinished = any(each.partition("\t")[0].endswith("=") for each in candidates)
    sys.stdout.write(_NO_SPACE if unfinished else _DEFAULT)
    return 0
