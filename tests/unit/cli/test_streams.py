"""Standard streams that are closed, full, dumb or on Windows (emulated) change no result."""

import ctypes
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from atmpl.cli import completion, terminal
from atmpl.cli.errors import CommandError
from tests.support.cli_runner import typed
from tests.support.platforms import needs_posix
from tests.unit.cli.test_render import SECRET, VM, vm

NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vm.yaml").write_text(VM.format(name="web"))
    (tmp_path / "warned.yaml").write_text(json.dumps(vm(**SECRET)))
    return tmp_path


def shell(line, folder):
    needs_posix("redirections by sh")
    return subprocess.run(
        ["sh", "-c", line.replace("atmpl", f"{sys.executable} -m atmpl")], cwd=folder, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    "line", ["atmpl render <&-", "atmpl render - <&-", "atmpl process - <&-", "atmpl convert - <&-"]
)
def test_closed_standard_input_is_an_error(line, folder):
    ran = shell(line, folder)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.startswith(b"error: standard input is closed")
    assert b"Traceback" not in ran.stderr


def test_closed_standard_input_does_not_matter_to_files(folder):
    assert shell("atmpl render vm.yaml <&-", folder).returncode == 0


@pytest.mark.parametrize("target", ["2>&-", pytest.param("2>/dev/full", marks=NEEDS_FULL)])
def test_warning_that_cannot_be_written_changes_no_result(target, folder):
    expected = shell("atmpl render warned.yaml", folder)
    ran = shell(f"atmpl render warned.yaml {target}", folder)
    assert expected.stderr
    assert (ran.returncode, ran.stdout) == (0, expected.stdout)


@pytest.mark.parametrize("target", ["2>&-", pytest.param("2>/dev/full", marks=NEEDS_FULL)])
@pytest.mark.parametrize(("line", "status"), [("atmpl render none.yaml", 1), ("atmpl rendr", 2), ("atmpl diff a b", 2)])
def test_error_that_cannot_be_written_keeps_its_status(target, line, status, folder):
    assert shell(f"{line} {target}", folder).returncode == status


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_terminal_without_escapes_gets_none(variable, folder, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(terminal.sys, "stderr", before := Tty())
    terminal.progress("one")
    terminal.warning("two")
    monkeypatch.setenv(*variable)
    monkeypatch.setattr(terminal.sys, "stderr", after := Tty())
    terminal.progress("one")
    terminal.warning("two")
    assert "\x1b" in before.getvalue()
    assert after.getvalue() == "warning: two\n"


class Console:
    """Windows' console functions, as far as they are used."""

    def __init__(self, mode, accepts):
        self.mode, self.accepts = mode, accepts
        self.kernel32 = SimpleNamespace(GetStdHandle=int, GetConsoleMode=self.get_mode, SetConsoleMode=self.set_mode)

    def get_mode(self, handle, mode):
        mode._obj.value = self.mode or 0
        return self.mode is not None

    def set_mode(self, handle, mode):
        if self.accepts:
            self.mode = mode
        return self.accepts


CONSOLES = {
    "a console that knows escapes": (Console(3, accepts=True), True, 7),
    "an old console": (Console(3, accepts=False), False, 3),
    "no console": (Console(None, accepts=True), False, None),
}


@pytest.mark.parametrize("case", CONSOLES)
def test_windows_console_gets_escapes_if_it_knows_them(case, monkeypatch):
    console, expected, mode = CONSOLES[case]
    monkeypatch.setattr(terminal, "WINDOWS", True)
    monkeypatch.setattr(ctypes, "windll", console, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Tty()
    stream.fileno = lambda: 2
    assert terminal.supports_escapes(stream) is expected
    assert console.mode == mode


def test_windows_reader_that_leaves_early_is_no_error(monkeypatch):
    class Closed(io.TextIOWrapper):
        fails = True

        def flush(self):
            if self.fails:
                raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(terminal.sys, "stdout", stdout := Closed(io.BytesIO()))
    with pytest.raises(CommandError):
        terminal.write(b"x")
    monkeypatch.setattr(terminal, "WINDOWS", True)
    with pytest.raises(BrokenPipeError):
        terminal.write(b"x")
    stdout.fails = False  # it is flushed when it is deleted


def test_windows_controller_is_an_error(monkeypatch):
    monkeypatch.setattr(terminal, "WINDOWS", True)
    came = typed("controller")
    assert (came.status, came.out) == (1, "")


def test_windows_completion_writes_bytes_with_line_feeds(monkeypatch, capfdbinary):
    """A text stream of Windows would write CRLF, and fail outside its code page."""
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-atmpl", "ren"])
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(os, "fdopen", None)  # argcomplete would open descriptor 9 for its log
    completion.kubectl()
    stdout.flush()
    assert stdout.buffer.getvalue().startswith(b"render\t")
    assert b"\r" not in stdout.buffer.getvalue()


@pytest.mark.parametrize("program", ["kubectl-atmpl.exe", r"C:\bin\kubectl-atmpl.exe", "/usr/bin/kubectl-atmpl"])
def test_plugin_is_recognized_by_its_name(program, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program])
    assert typed("--help").out.startswith("usage: kubectl atmpl ")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", "\ufeff".encode("utf-16-le"), "\ufeff".encode("utf-16-be")])
def test_windows_files_with_a_byte_order_mark_are_read(mark, folder):
    encoding = {2: "utf-16-le" if mark[0] == 0xFF else "utf-16-be", 3: "utf-8"}[len(mark)]
    (folder / "vm.yaml").write_bytes(mark + VM.format(name="web").replace("\n", "\r\n").encode(encoding))
    assert typed("render", "vm.yaml").status == 0
