"""argparse with short errors that name the fix, help that keeps the lines of examples, and suggestions for typos."""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import atmpl
from atmpl.cli import terminal

TOP_OPTIONS = ("-h", "--help", "--version")  # the only options before a command
WRONG_USAGE = 2
KUBECTL_FILE_OPTIONS = ("-f", "--filename")  # before the name of a file, with kubectl and `oc process`
FILE_COMMANDS = {"--vm": "render FILE", "--template": "process FILE"}  # for files, instead of an object in the cluster
NAMESPACE_OPTIONS = ("-n", "--namespace")
OTHER_NAMES = {  # options of oc, kubectl and virtctl: the option here
    "--parameters": "--print-params",
    "--param-file": "--params-file",
    "--parameter": "--param",
    "--local": "",
    "--vm-name": "--name",
    "--output-dir": "--output-file",
}

DESCRIPTION = """\
Turn a KubeVirt virtual machine into a template, and a template into virtual machines.

By default, a new virtual machine has the passwords and keys of the source, and
uses its data volumes if it is in the same namespace; see --secrets and
--data-volumes of create and render.
"""

EPILOG = """\
examples:
  # a template of the virtual machine web, made by the cluster
  atmpl create --vm web

  # the same without atmpl in the cluster, written to a file
  kubectl get virtualmachine web -o yaml | atmpl render - > web-template.yaml

  # a virtual machine from that template, with more memory
  atmpl process web-template.yaml -p MEMORY_GUEST=8Gi | kubectl create -f -

  # a virtual machine from a template in the cluster
  atmpl instantiate --template web-template

exit status, unless the help of the command differs:
  0  success
  1  an error; standard error names the object and the problem
  2  wrong usage

`atmpl COMMAND --help` explains a command. As a kubectl plugin, the command is
`kubectl atmpl`.
"""

OTHER_COMMANDS = {  # options of another command: that command
    "--print-params": "process FILE --print-params",
    "-p": "process FILE -p NAME=VALUE",
    "--param": "process FILE -p NAME=VALUE",
    "--params-file": "process FILE --params-file FILE",
    "--vm": "create --vm NAME",
    "--refresh": "create --vm NAME --refresh OnChange",
}
IN_CLUSTER = ("process FILE", "instantiate --template NAME")  # the same, of a template in the cluster

_SIMILAR = 0.55  # of difflib's ratio; MEMORY and REQUESTS_MEMORY are similar
_SAME = 0.85  # a choice with a typo; tcsh and zsh are different


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs, and leaves blocks with indented lines (examples, tables) as they are."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse ignores the indent of commands
            self._action_max_length += 2

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002 - argparse's signature
        blocks = text.strip("\n").split("\n\n")
        return "\n\n".join(
            block if "\n " in f"\n{block}" else "\n".join(self._split_lines(block, width)) for block in blocks
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        """Return the lines of a paragraph; argparse itself breaks an option such as --data-volumes at its hyphens."""
        return terminal.wrap(" ".join(text.split()), width, indent="").split("\n")


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations, whose errors are one line and a pointer to the help."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **kwargs)  # type: ignore[arg-type]
        self._words: list[str] = []  # the words being parsed

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or version; argparse itself ignores an output that cannot be written."""
        if file is sys.stdout:
            terminal.write(message.encode("utf-8", "replace"))
        else:
            terminal.info(message.rstrip("\n"))

    def parse_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse `args`, and keep them for the suggestions of `error`."""
        self._words = list(args or ())
        return super().parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Report `message` with a suggestion, and exit with status 2."""
        message = re.sub(r"invalid choice: (.*?) \(choose from (.*)\)$", _choice_error, message)
        terminal.error(f"{message}{self._suggestion(message)}")
        terminal.info(f"See {self.prog} --help.")
        sys.exit(WRONG_USAGE)

    def _suggestion(self, message: str) -> str:
        """Return what to type instead, behind a `;`, or nothing. `message` is argparse's or a command's."""
        about, _, names = message.partition(": ")
        name = names.split(" ")[0]
        if about == "unrecognized arguments":
            return self._unknown(name)
        if about == "argument -o/--output" and "--output-file" in self._option_string_actions:
            file = names.partition("' is not one of ")[0].strip("'")
            if "." in file or "/" in file:
                return f"; did you mean --output-file {file}?"
        if about == "the following arguments are required":
            first = next(iter(self._words), "-")
            if name in FILE_COMMANDS and any(word.partition("=")[0] in KUBECTL_FILE_OPTIONS for word in self._words):
                return f" of one in the cluster; for a file, use {program()} {FILE_COMMANDS[name]}"
            if name.startswith("--") and not first.startswith("-"):
                return f"; did you mean {name} {first}?"
            unknown = (word for word in map(_option, self._words) if word and word not in self._option_string_actions)
            return next((meant for word in unknown if (meant := nearest(word, [name]))), self._choices(name))
        return self._choices(about.removeprefix("argument ")) if names == "expected one argument" else ""

    def _unknown(self, word: str) -> str:
        """Return the suggestion for an unknown word."""
        name = word.partition("=")[0]
        files = [action for action in self._actions if action.metavar == "FILE" and not action.option_strings]
        if name in KUBECTL_FILE_OPTIONS:
            return f"; name the FILE without {name}" if files else ""
        if name in NAMESPACE_OPTIONS and files:
            return f"; {self.prog} has no {name}: use kubectl apply -n NAMESPACE"
        if not word.startswith("-") and "=" not in word and [action.nargs for action in files] == [None]:
            return "; name one FILE"
        if not word.startswith("-") and "=" in word and "-p" in self._option_string_actions:
            return f"; did you mean -p {word}?"
        if name in OTHER_NAMES and (not OTHER_NAMES[name] or OTHER_NAMES[name] in self._option_string_actions):
            return f"; did you mean {OTHER_NAMES[name]}?" if OTHER_NAMES[name] else f"; leave {name} out"
        if command := OTHER_COMMANDS.get(OTHER_NAMES.get(name, name)):
            uses_cluster = "--context" in self._option_string_actions
            return f"; use {program()} {command.replace(*IN_CLUSTER) if uses_cluster else command}"
        is_letter = len(name) == 2  # all letters are similar
        return "" if is_letter else nearest(name, self._option_string_actions)

    def _choices(self, name: str) -> str:
        """Return the choices of an argument, if it has some; `name` is the one in argparse's message."""
        for action in self._actions:
            if action.choices and name in ("/".join(action.option_strings), action.metavar):
                return f"; write one of {', '.join(map(str, action.choices))}"
        return ""


def top_parser(commands: Mapping[str, str]) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole line and, still without options, one for each of `commands` (name: help)."""
    top = Parser(prog=program(), description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"atmpl {atmpl.__version__}")
    slot = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    return top, {name: slot.add_parser(name, help=help) for name, help in commands.items()}


def repeated(words: Iterable[str]) -> dict[str, int]:
    """Return the words that occur more than once, in the order of their first place, with their numbers."""
    return {word: number for word, number in Counter(words).items() if number > 1}


def nearest(word: str, known: Iterable[str], similar: float = _SIMILAR) -> str:
    """Return `; did you mean X?` for the one of `known` most similar to `word` in any case, otherwise nothing.

    `similar` is the lowest ratio of difflib that counts.
    """
    import difflib

    words = {_normalize(each): each for each in known}
    near = difflib.get_close_matches(_normalize(word), words, n=1, cutoff=similar)
    return f"; did you mean {words[near[0]]}?" if near else ""


def _normalize(word: str) -> str:
    """Return `word` without case, and without the dashes before an option: all options have them."""
    return word.lstrip("-").upper().replace("-", "_")


def _choice_error(match: re.Match[str]) -> str:
    """Return argparse's message about a wrong choice in other words, with the choice that has a typo, if any."""
    choices = match[2].replace("'", "").replace('"', "").split(", ")
    return f"{match[1]} is not one of {', '.join(choices)}{nearest(match[1].strip(chr(39)), choices, _SAME)}"


def _option(word: str) -> str:
    """Return the long option that a word of the line begins with, or nothing."""
    return word.partition("=")[0] if word.startswith("--") else ""


def program() -> str:
    """Return the name that the user typed: kubectl finds its plugins by their names."""
    name = sys.argv[0].replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return "kubectl atmpl" if name == "kubectl-atmpl" else "atmpl"
