"""The text of what is named on the command line: files, and `-` for standard input."""

import codecs
import sys

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError

STDIN = "-"

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


def shown(path: str) -> str:
    """Return how a person knows the input `path`."""
    return "standard input" if path == STDIN else path


def text(path: str) -> str:
    """Return the text of the file `path`, or of standard input. Raises CommandError that names it."""
    data = _bytes(path)
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{shown(path)}, line {line}: this is not UTF-8; save the file as UTF-8") from None


def _bytes(path: str) -> bytes:
    if path == STDIN:
        if sys.stdin.isatty():
            terminal.note("reading standard input; end it with Ctrl-D, or leave with Ctrl-C")
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib alone would make every start slower
            return file.read()
    except FileNotFoundError:
        raise CommandError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise CommandError(f"{path}: this is a directory; name the files in it, as {path.rstrip('/')}/*.yaml") from None
    except OSError as error:
        raise CommandError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:  # a NUL in the name
        raise CommandError(f"{path!r}: {error}") from None
