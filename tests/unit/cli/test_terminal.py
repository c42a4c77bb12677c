"""Colours are for terminals only."""

import io
import json

import pytest

import atmpl
from atmpl.cli import terminal
from tests.support.cli_runner import typed


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


def test_empty_no_color_has_no_effect(colourful):
    colourful.setenv("NO_COLOR", "")
    assert terminal.supports_escapes(Tty())


def test_message_on_a_terminal_is_wrapped(colourful):
    colourful.setattr(terminal.sys, "stderr", screen := Tty())
    terminal.warning(f"{'spec.template' * 8}: so it is, " * 2)
    assert screen.getvalue().endswith(
        f"\x1b[33;1mwarning:\x1b[0m\n  {'spec.template' * 8}:\n  so it is,\n  {'spec.template' * 8}:\n  so it is,\n"
    )


def test_message_in_a_pipe_is_one_line(monkeypatch):
    monkeypatch.setattr(terminal.sys, "stderr", file := io.StringIO())
    terminal.warning("so it is, " * 20 + "and no more")
    assert file.getvalue() == "warning: " + "so it is, " * 20 + "and no more\n"


def test_a_dumb_terminal_gets_none(colourful):
    colourful.setenv("TERM", "dumb")
    assert not terminal.supports_escapes(Tty())


def test_messages_have_no_control_characters(monkeypatch):
    monkeypatch.setattr(terminal.sys, "stderr", file := io.StringIO())
    terminal.error("quoted: \x1b[2J\r\u202ea\x00b\x9b")
    assert file.getvalue() == "error: quoted: \\u001b[2J\\u000d\\u202ea\\u0000b\\u009b\n"
    assert terminal.indented("a\x1b]0;b\x07", indent="  ") == "  a\\u001b]0;b\\u0007"


EVIL = json.dumps({"apiVersion": "v1", "kind": "A\x1b[2J", "metadata": {"name": "b\u202e\x9b"}})


@pytest.mark.parametrize("words", [["render", "-"], ["process", "-"], ["convert", "-"], ["diff", "-", "none"]])
def test_no_command_prints_control_characters_of_its_input(words):
    came = typed(*words, stdin=f"[{EVIL}, {EVIL}]")
    assert not set(came.out + came.err) & set("\x1b\x9b\u202e")


def test_diff_prints_no_control_characters_of_names(tmp_path):
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a"}}
    vm |= {"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 1}}}}}}
    template = atmpl.render(vm, name="t\x1b[2J").template
    vm["spec"]["template"]["spec"]["domain"]["cpu"]["cores"] = 2
    (tmp_path / "f").write_text(json.dumps([template, vm]))
    came = typed("diff", tmp_path / "f", "-", stdin="kind: Pod")
    assert came.status == 1
    assert "\x1b" not in came.out
