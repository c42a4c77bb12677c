"""Colours are for terminals only."""

import io

import pytest

from atmpl.cli import terminal


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def colourful(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def test_a_terminal_gets_colours(colourful):
    assert terminal.paint("error:", terminal.RED, Tty()) == "\x1b[31;1merror:\x1b[0m"


def test_a_file_or_a_pipe_gets_none(colourful):
    assert terminal.paint("error:", terminal.RED, io.StringIO()) == "error:"


def test_no_color_is_honoured(colourful):
    colourful.setenv("NO_COLOR", "1")
    assert terminal.paint("error:", terminal.RED, Tty()) == "error:"


def test_an_empty_no_color_says_nothing(colourful):
    colourful.setenv("NO_COLOR", "")
    assert terminal.shows_colours(Tty())


def test_a_dumb_terminal_gets_none(colourful):
    colourful.setenv("TERM", "dumb")
    assert not terminal.shows_colours(Tty())
