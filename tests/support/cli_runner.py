"""A command line as it is typed, and what comes of it."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from atmpl.cli.main import main


class Came(NamedTuple):
    """What came of a command line."""

    status: int
    out: str
    err: str


def typed(*words, stdin=None):
    """Run `atmpl WORDS`; `stdin` is text or bytes, or None for a terminal without input."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")  # as Python's own
    before, sys.stdin = sys.stdin, _Terminal() if given is None else io.TextIOWrapper(io.BytesIO(given))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            try:
                status = main([str(word) for word in words])
            except SystemExit as left:
                status = left.code
    finally:
        sys.stdin = before
    return Came(status, *(_text(stream) for stream in (out, err)))


def _text(stream):
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8", "surrogatepass")


class _Terminal(io.TextIOWrapper):
    def __init__(self):
        super().__init__(io.BytesIO())

    def isatty(self):
        return True
