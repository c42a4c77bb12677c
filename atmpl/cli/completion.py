"""Shell completion: `atmpl completion` prints a shell's script; at each Tab, the script calls `complete`.

argcomplete completes for all shells, from the parsers of the command line. kubectl has its own protocol for plugins: it
runs `kubectl_complete-atmpl`, which is `kubectl` here.
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
Print the script that completes commands, options, parameters, and names of the
cluster's objects in a shell.
"""

EPILOG = """\
examples:
  # bash, as a line of ~/.bashrc
  source <(atmpl completion bash)

  # zsh, as a line of ~/.zshrc, after compinit
  source <(atmpl completion zsh)

  # fish, as a line of ~/.config/fish/config.fish
  atmpl completion fish | source

  # PowerShell, as a line of $PROFILE
  atmpl completion powershell | Out-String | Invoke-Expression

kubectl atmpl needs no script: kubectl's own completion finds it.
"""

SHELLS = ("bash", "zsh", "fish", "powershell")

_DEFAULT, _NO_SPACE = ":0\n", ":2\n"  # cobra's directives; by default files are completed if there is no candidate
_ARGCOMPLETE = {  # the variables that make argcomplete print candidates as kubectl expects them
    "_ARGCOMPLETE": "1",
    "_ARGCOMPLETE_SHELL": "fish",
    "_ARGCOMPLETE_IFS": "\n",
    "_ARGCOMPLETE_DFS": "\t",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl completion` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


def run(args: argparse.Namespace) -> int:
    """Print the script of one shell."""
    terminal.write(f"{shellcode(['atmpl'], shell=args.shell).strip()}\n".encode())
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the candidates for argcomplete's script, whose variables are in the environment, and exit."""
    argcomplete.autocomplete(parser, always_complete_options=False)


def kubectl() -> int:
    """Print the candidates for kubectl, one per line with its help behind a tab, then a directive."""
    from atmpl.cli.main import full_parser

    words = sys.argv[1:] or [""]
    line = " ".join(["atmpl", *map(shlex.quote, words[:-1]), words[-1]])
    os.environ |= _ARGCOMPLETE | {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    output = io.StringIO()
    CompletionFinder()(
        full_parser(),
        always_complete_options=False,
        exit_method=lambda _status: None,
        output_stream=output,
        append_space=False,
        default_completer=SuppressCompleter(),
    )
    candidates = [each for each in output.getvalue().split("\n") if each]
    unfinished = any(each.partition("\t")[0].endswith("=") for each in candidates)
    lines = [*(f"{each}\n" for each in candidates), _NO_SPACE if unfinished else _DEFAULT]
    # Bytes: on Windows, text would end in CRLF, and a character outside the code page would raise an error.
    sys.stdout.buffer.write("".join(lines).encode())
    return 0
