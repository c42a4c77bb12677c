"""Something turns on a terminal, and leaves no trace there; elsewhere nothing does."""

import asyncio
import io

import pytest

from atmpl.cli import terminal


class Tty(io.TextIOWrapper):
    def __init__(self, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self):
        return True

    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def screen(monkeypatch):
    """Let standard error be a terminal: called in the test, since pytest sets it anew for each of a test's phases."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal, "FRAME_SECONDS", 0)

    def begin(encoding="utf-8"):
        monkeypatch.setattr(terminal.sys, "stderr", tty := Tty(encoding))
        return tty

    return begin


async def turns():
    """Let it turn some times: between two pictures there is no time here."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_turns_beside_its_text_and_leaves_no_trace(screen):
    tty = screen()
    async with terminal.Spinner("one") as shown:
        await turns()
        shown.text = "two"
        await turns()
    assert tty.shown().startswith("\r\x1b[K⠋ 0 s  one\r\x1b[K⠙ 0 s  one")
    assert "0 s  two" in tty.shown()
    assert tty.shown().endswith("\r\x1b[K")


async def test_what_is_said_meanwhile_stands_on_a_line_of_its_own(screen):
    tty = screen()
    async with terminal.Spinner("one"):
        await turns()
        terminal.info("so it is")
    assert "s  one\r\x1b[Kso it is\n" in tty.shown()


async def test_a_terminal_without_unicode_gets_plain_characters(screen):
    tty = screen("ascii")
    async with terminal.Spinner("one"):
        await turns()
    assert "| 0 s  one" in tty.shown()


async def test_a_long_text_is_cut_to_one_line(screen):
    tty = screen()
    async with terminal.Spinner("x" * 200):
        await turns()
    assert max(map(len, tty.shown().replace("\x1b[K", "").split("\r"))) == 79


@pytest.mark.parametrize("dumb", [True, False])
async def test_nothing_turns_where_nothing_can(monkeypatch, dumb):
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    monkeypatch.setattr(terminal.sys, "stderr", file := Tty() if dumb else io.StringIO())
    async with terminal.Spinner("one"):
        await turns()
    assert (file.shown() if dumb else file.getvalue()) == ""
