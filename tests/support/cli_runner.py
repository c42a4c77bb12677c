"""A command line as it is typed, and what comes of it."""

import argparse
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from atmpl.cli import client
from atmpl.cli.client import ClusterClient
from atmpl.cli.main import main
from tests.support.scripted_server import Act, Script, connected


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


def scripted_cluster(monkeypatch: pytest.MonkeyPatch, *acts: Act) -> Script:
    """Let a server that follows a script be the cluster of the commands; return the script."""
    script = Script(*acts)

    @asynccontextmanager
    async def open_cluster(_: argparse.Namespace) -> AsyncIterator[ClusterClient]:
        async with connected(script) as connection:
            yield ClusterClient(connection, "team-a", "https://cluster:6443")

    monkeypatch.setattr(client, "open_cluster", open_cluster)
    return script
