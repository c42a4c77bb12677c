"""The help fits 80 columns, and its examples work."""

import argparse
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from atmpl.cli import controller, create, parser
from atmpl.cli.main import COMMANDS
from tests.support.cli_runner import typed
from tests.support.platforms import posix

NAMES = [entry.name for entry in COMMANDS]

KUBECTL = """\
#!/bin/sh
case "$1 $2" in
  "get virtualmachine"*) cat vm.yaml ;;
  "get template"*) [ "$3" = web-template ] && cat web-template.yaml ;;
  "create -f" | "apply -f") grep -q '^kind: ' ;;
  *) exit 1 ;;
esac
"""


WEB = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web}
spec:
  template:
    spec:
      domain:
        memory: {guest: 4Gi}
        devices: {disks: [{name: root, disk: {bus: virtio}}]}
"""


def examples(epilog):
    """The commands below `examples:` that can be pasted, those of several lines as one."""
    shown = epilog.partition("examples:\n")[2].partition("\nexit status")[0]
    lines = [line.strip() for line in shown.splitlines() if line.strip() and not line.strip().startswith("#")]
    return re.sub(r"(\|)\n|\\\n", r"\1 ", "\n".join(lines)).splitlines()


PASTED = [
    *(
        line for line in examples(parser.EPILOG) if line not in create.EPILOG and "instantiate" not in line
    ),  # test_plugin.py pastes those
    *(
        line
        for name in ("render", "process", "convert")
        for line in examples(importlib.import_module(f"atmpl.cli.{name}").EPILOG)
    ),
]


@pytest.mark.parametrize("name", [None, *NAMES])
def test_the_help_fits_80_columns(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    came = typed(*([name] if name else []), "--help")
    assert (came.status, came.err) == (0, "")
    assert max(map(len, came.out.splitlines())) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_an_option_names_its_default(name):
    importlib.import_module(f"atmpl.cli.{name}").add_arguments(command := argparse.ArgumentParser())
    options = [each for each in command._actions if each.default not in (None, False, [], argparse.SUPPRESS)]
    assert [each.dest for each in options if "(default: " not in each.help] == []


README = (Path(__file__).parents[3] / "README.md").read_text()
GOLDEN = re.search(r"golden template for colleagues \| `(.*?)`", README)[1]
OWN_MEMORY = re.search(r"name: MEMORY_GUEST\n  value: (\w+)", README)[1]


@pytest.mark.parametrize("name", ["create", "render"])
def test_golden_template_is_made_as_readme_advises(name):
    assert any(GOLDEN in line for line in examples(importlib.import_module(f"atmpl.cli.{name}").EPILOG))


def test_examples_change_the_memory_of_the_vm():
    epilogs = [parser.EPILOG, *(importlib.import_module(f"atmpl.cli.{name}").EPILOG for name in NAMES)]
    values = [value for each in epilogs for value in re.findall(r"MEMORY_GUEST=(\w+)", each)]
    assert values
    assert OWN_MEMORY not in values


def test_there_are_examples_to_paste():
    assert len(PASTED) >= 10


@pytest.mark.parametrize("line", examples(controller.EPILOG))
def test_examples_of_controller_parse(line):
    controller.add_arguments(argument := argparse.ArgumentParser())
    assert argument.parse_args(shlex.split(line)[2:])


@posix("a bash with POSIX paths")
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("line", PASTED)
def test_an_example_works_when_pasted(line, tmp_path):
    (tmp_path / "vm.yaml").write_text(WEB)
    (tmp_path / "web-template.yaml").write_text(typed("render", "-", stdin=WEB).out)
    for name in ("small.env", "web-2.env"):
        (tmp_path / name).write_text("MEMORY_GUEST=1Gi\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text(KUBECTL)
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        cwd=tmp_path,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
