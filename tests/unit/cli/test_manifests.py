"""A file becomes text, or an error with a remedy."""

import io
import re
import sys

import pytest

from atmpl.cli import manifests
from atmpl.cli.errors import CommandError

TEXT = "name: wëb\n"

ENCODED = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "UTF-16 with a mark, as PowerShell redirects": b"\xff\xfe" + TEXT.encode("utf-16-le"),
    "UTF-16 with a mark, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
}


@pytest.mark.parametrize("case", ENCODED)
def test_text_is_read_in_kubectls_encodings(case, tmp_path):
    (tmp_path / "a.yaml").write_bytes(ENCODED[case])
    assert manifests.text(str(tmp_path / "a.yaml")) == TEXT


def test_invalid_utf_8_is_reported_with_its_line(tmp_path):
    (tmp_path / "a.yaml").write_bytes("a: 1\nname: wëb\n".encode("latin-1"))
    with pytest.raises(CommandError, match=r"a\.yaml, line 2: not valid UTF-8; save the file as UTF-8"):
        manifests.text(str(tmp_path / "a.yaml"))


def test_a_missing_file_is_named():
    with pytest.raises(CommandError, match=r"^nowhere\.yaml: no such file$"):
        manifests.text("nowhere.yaml")


def test_directory_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(CommandError, match=f"^{re.escape(str(tmp_path))}/: this is a directory; name a file in it$"):
        manifests.text(f"{tmp_path}/")


def test_too_long_file_name_is_an_error():
    with pytest.raises(CommandError, match=r"^x+: file name too long$"):
        manifests.text("x" * 1000)


def test_file_name_with_a_nul_is_an_error():
    with pytest.raises(CommandError, match="embedded null"):
        manifests.text("a\0b")


def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode()), encoding="latin-1"))
    assert manifests.text("-") == TEXT


def test_terminal_as_standard_input_gets_a_hint(monkeypatch, capsys):
    terminal = io.TextIOWrapper(io.BytesIO(TEXT.encode()))
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    assert manifests.text("-") == TEXT
    assert capsys.readouterr().err == "reading standard input; end it with Ctrl-D, or stop with Ctrl-C\n"
