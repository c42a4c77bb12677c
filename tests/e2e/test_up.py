"""`python -m e2e.controlplane up`, as a person uses it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


@pytest.mark.apiserver
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_prints_a_kubeconfig_that_works_and_leaves_nothing_after(number: signal.Signals, tmp_path: Path) -> None:
    command = ["sh", "-c", "trap '' INT; exec \"$0\" -m e2e.controlplane up", sys.executable]  # as a script's & does
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        said = ""
        while "Ctrl-C stops" not in said:
            line = up.stderr.readline()
            assert line, said
            said += line
        path = Path(re.search(r"export KUBECONFIG=(\S+) PATH=(\S+):", said)[1])
        kubectl = Path(re.search(r"export KUBECONFIG=(\S+) PATH=(\S+):", said)[2]) / "kubectl"
        listed = subprocess.check_output(
            [kubectl, "--kubeconfig", path, "get", "vm,vmtreq", "--all-namespaces"], text=True
        )
        assert listed == ""
        up.send_signal(number)
        printed, last = up.communicate(timeout=20)
    assert up.returncode == 0
    assert yaml.safe_load(printed)["current-context"] == "admin"
    assert "gone" in last
    assert not path.parent.exists()


def test_help_names_the_commands() -> None:
    shown = subprocess.check_output([sys.executable, "-m", "e2e.controlplane", "--help"], text=True)
    assert "up " in shown
    assert "programs " in shown
