"""What the commands print for machines and people alike: objects on standard output, as YAML or as JSON."""

import argparse
import json
from typing import Any

import orjson

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError
from atmpl.cli.yaml import write

FORMS = ("yaml", "json")


def add_output(
    parser: argparse.ArgumentParser, *, default: str | None = "yaml", otherwise: str = "default: yaml"
) -> None:
    """Add `-o`; `otherwise` is what the help says of the default."""
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMS,
        default=default,
        help=f"yaml, documents separated by ---, or json, one a line; {otherwise}",
    )


class Output:
    """A stream of objects on standard output, in UTF-8 whatever the locale is."""

    def __init__(self, form: str) -> None:
        """Begin one; `form` is one of FORMS."""
        self._form = form
        self._started = False

    def write(self, value: Any) -> None:
        """Write the next object. Raises CommandError where it is nested too deep, and as `terminal.put` does."""
        try:
            data = _json(value) if self._form == "json" else write(value).encode("utf-8", "surrogatepass")
        except RecursionError:
            raise CommandError("the result is nested too deep to be written") from None
        if self._started and self._form == "yaml":
            data = b"---\n" + data
        self._started = True
        terminal.put(data)


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except (orjson.JSONEncodeError, TypeError):  # deeper than 254 levels, an integer beyond 64 bits, half a character
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"
