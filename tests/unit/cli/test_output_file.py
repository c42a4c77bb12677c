"""`--output-file` writes a file whole or not at all."""

import os
import stat
from pathlib import Path

import pytest
import yaml

from atmpl.cli.errors import CommandError
from atmpl.cli.output import write_file
from tests.support.cli_runner import typed
from tests.support.platforms import posix
from tests.unit.cli.test_render import VM


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vm.yaml").write_text(VM.format(name="web"))
    return tmp_path


def test_output_file_gets_the_same_bytes_as_standard_output(folder):
    came = typed("render", "vm.yaml", "--output-file", "t.yaml")
    assert (came.status, came.out, came.err) == (0, "", "")
    assert (folder / "t.yaml").read_text() == typed("render", "vm.yaml").out
    typed("process", "t.yaml", "--output-file", "p.yaml")
    assert yaml.safe_load((folder / "p.yaml").read_text())["kind"] == "VirtualMachine"


def test_output_file_stays_if_a_document_fails(folder):
    (folder / "t.yaml").write_text("old")
    (folder / "bad.yaml").write_text("kind: VirtualMachine\n")
    assert typed("render", "vm.yaml", "bad.yaml", "--output-file", "t.yaml").status == 1
    assert (folder / "t.yaml").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["bad.yaml", "t.yaml", "vm.yaml"]


def test_output_file_in_a_missing_folder_is_an_error():
    came = typed("render", "vm.yaml", "--output-file", "none/t.yaml")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: ")


@posix("file modes")
def test_output_file_keeps_the_mode_of_an_existing_file(folder):
    (folder / "t").write_text("old")
    (folder / "t").chmod(0o640)
    write_file("t", b"new")
    assert stat.S_IMODE((folder / "t").stat().st_mode) == 0o640
    umask = os.umask(0o022)
    os.umask(umask)
    write_file("new", b"")
    assert stat.S_IMODE((folder / "new").stat().st_mode) == 0o666 & ~umask


@posix("links that every user may create")
def test_output_file_replaces_the_target_of_a_link(folder):
    (folder / "t").write_text("old")
    (folder / "link").symlink_to("t")
    write_file("link", b"new")
    assert (folder / "t").read_text() == "new"
    assert (folder / "link").is_symlink()


@posix("/dev/null")
def test_output_file_can_be_a_device():
    write_file("/dev/null", b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_output_file_is_removed_if_it_cannot_be_completed(folder, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(CommandError, match="no space left on device"):
        write_file("t", b"x")
    assert [path.name for path in folder.iterdir()] == ["vm.yaml"]
