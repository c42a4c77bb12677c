"""The spinner is shown on a terminal only, and clears its line."""

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
    """Let standard error be a terminal: called in the test, since pytest sets it again for each phase of a test."""
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


async def test_spinner_clears_its_line(screen):
    tty = screen()
    async with terminal.Spinner("one") as shown:
        await turns()
        shown.text = "two"
        await turns()
    assert tty.shown().startswith("\r\x1b[K⠋ 0 s  one\r\x1b[K⠙ 0 s  one")
    assert "0 s  two" in tty.shown()
    assert tty.shown().endswith("\r\x1b[K")


async def test_message_beside_the_spinner_has_its_own_line(screen):
    tty = screen()
    async with terminal.Spinner("one"):
        await turns()
        terminal.info("so it is")
    assert "s  one\r\x1b[Kso it is\n" in tty.shown()


async def test_ascii_terminal_gets_ascii_frames(screen):
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
async def test_spinner_needs_a_terminal(monkeypatch, dumb):
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    monkeypatch.setattr(terminal.sys, "stderr", file := Tty() if dumb else io.StringIO())
    async with terminal.Spinner("one"):
        await turns()
    assert (file.shown() if dumb else file.getvalue()) == ""
