"""Objects as YAML or JSON on standard output or in a file, and parameters as a table."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError
from atmpl.cli.terminal import plain, wrap
from atmpl.cli.yaml import write
from atmpl.template.parameters import Parameter

FORMS = ("yaml", "json")
HEADINGS = ("NAME", "VALUE", "MEANING")

_MAX_VALUE = 28  # columns of a value in the table on a terminal; a pipe and `-o yaml` get it whole
_MIN_MEANING = 20  # columns
_GAP = "   "
_INDENT = "    "
_UNMASKED = 0o666  # mode of a new file before the umask


def add_output(
    parser: argparse.ArgumentParser, *, default: str | None = "yaml", otherwise: str = "(default: yaml)"
) -> None:
    """Add `-o` and `--output-file`; `otherwise` is the help's text about the default."""
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMS,
        default=default,
        help=f"yaml, with documents separated by ---, or json, with one document per line {otherwise}",
    )
    parser.add_argument(
        "--output-file",
        metavar="FILE",
        help="write to FILE instead of standard output, in UTF-8; on an error FILE stays as it was. PowerShell before "
        "7.4 changes the encoding of what > redirects",
    )


class Output:
    """Objects in one form, always in UTF-8: on standard output at once, or in a file as soon as all are complete."""

    def __init__(self, form: str, file: str | None = None) -> None:
        """`form` is one of FORMS; `file` is the path to write to, None for standard output."""
        self._form = form
        self._file = file
        self._started = False
        self._data: list[bytes] = []  # of the file

    def write(self, value: Any) -> None:
        """Write the next object. Raises CommandError if it cannot be encoded, and as `terminal.write` does."""
        try:
            data = _json(value) if self._form == "json" else write(value).encode()
        except RecursionError:
            raise CommandError("the result cannot be written: it is nested too deep") from None
        except UnicodeEncodeError:
            raise CommandError(
                "the result cannot be written: it contains half of a surrogate pair; remove that character"
            ) from None
        self.write_bytes(b"---\n" + data if self._started and self._form == "yaml" else data)

    def write_bytes(self, data: bytes) -> None:
        """Write encoded text."""
        self._started = True
        if self._file is None:
            terminal.write(data)
        else:
            self._data.append(data)

    def commit(self) -> None:
        """Write the file, if there is one: whole or not at all. Raises CommandError."""
        if self._file is not None:
            write_file(self._file, b"".join(self._data))


def write_file(name: str, data: bytes) -> None:
    """Write a file whole or not at all; a device or a pipe is written directly. Raises CommandError."""
    import tempfile
    from pathlib import Path

    try:
        path = Path(name).resolve()
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        umask = os.umask(0)
        os.umask(umask)
        mode = path.stat().st_mode & 0o777 if path.exists() else _UNMASKED & ~umask
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - an open descriptor
                file.write(data)
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"{name!a}: cannot be written: {reason.lower()}") from None


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except (
        orjson.JSONEncodeError,
        TypeError,
    ):  # more than 254 levels, an integer beyond 64 bits, half a surrogate pair
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"


class _Row(NamedTuple):
    name: str
    value: str
    meaning: str


def table(parameters: Iterable[Parameter], values: dict[str, str], columns: int | None = None) -> str:
    """Return the parameters as a table. `values` override defaults; `columns` is the width of the terminal, if any."""
    longest = _MAX_VALUE if columns is not None else sys.maxsize
    rows = [_row(parameter, values.get(parameter.name), longest) for parameter in parameters]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    widths[1] = min(widths[1], _MAX_VALUE)  # a longer value shifts the meaning of its own line only
    if columns is not None and sum(widths[:-1]) + 2 * len(_GAP) + min(widths[-1], _MIN_MEANING) > columns:
        return "".join(_block(row, columns) for row in rows)
    return "".join(_line(row, widths, columns) for row in (HEADINGS, *rows))


def _row(parameter: Parameter, given: str | None, longest: int) -> _Row:
    value = parameter.value if given is None else given
    if value:
        shown = _cut(_first_line(value, longest), longest)
    elif parameter.generate:
        shown = _cut(f"(generated: {_first_line(parameter.from_, longest)})", longest)
    else:
        shown = "(required)" if parameter.required else "(empty)"
    return _Row(_first_line(parameter.name), shown, meaning(parameter))


def meaning(parameter: Parameter) -> str:
    """Return the description in one line; the display name if the description only repeats the parameter's name."""
    return _first_line(_description(parameter))


def _description(parameter: Parameter) -> str:
    own = parameter.name.lower().replace("_", "-")
    description = parameter.description.removeprefix(f"{own}: ")
    if description in ("", own):
        return parameter.display_name
    if description.startswith(f"{own} ("):
        return f"{parameter.display_name}{description.removeprefix(own)}"
    return description


def _first_line(text: str, longest: int = _MAX_VALUE) -> str:
    """Return the first line of `text` without control characters, and the number of lines if there are several."""
    lines = text.rstrip("\n").split("\n")
    first = plain(lines[0])
    return first if len(lines) == 1 else f"{_cut(first, longest - 13)} ({len(lines)} lines)"


def _line(cells: Sequence[str], widths: Sequence[int], columns: int | None) -> str:
    text = _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    if columns is not None and len(text) > columns:
        margin = " " * (sum(widths[:-1]) + len(_GAP) * (len(widths) - 1))
        lines = wrap(cells[-1], columns - len(margin), indent="").splitlines()
        text = text[: len(margin)] + f"\n{margin}".join(lines)
    return f"{text}\n"


def _block(row: _Row, columns: int) -> str:
    """Return a parameter in lines of `columns`: its name and value are not shortened, its meaning is below them."""
    lines = [f"{row.name}{_GAP}{row.value}"]
    if len(lines[0]) > columns:
        lines = [row.name, f"{_INDENT}{row.value}"]
    if row.meaning:
        lines.append(_INDENT + wrap(row.meaning, columns - len(_INDENT), indent=_INDENT))
    return "".join(f"{line}\n" for line in lines)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: columns - 1] + "\N{HORIZONTAL ELLIPSIS}"
