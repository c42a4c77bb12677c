"""`python -m e2e.envtest up`, as a person uses it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import atmpl
from tests.support.child_process import started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_prints_a_kubeconfig_and_removes_all(number: signal.Signals, tmp_path: Path) -> None:
    command = ["sh", "-c", "trap '' INT; exec \"$0\" -m e2e.envtest up", sys.executable]  # as a script's & does
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        output = ""
        while "Ctrl-C here stops" not in output:
            line = up.stderr.readline()
            assert line, output
            output += line
        line = re.search(r"^  (\. (\S+)/env)$", output, re.MULTILINE)  # alone on its line, so that it can be copied
        assert len(line[0]) <= 80
        types = f"{line[1]}; kubectl get vm,vmtreq --all-namespaces; kubectl cluster-info; atmpl --version"
        answer = subprocess.check_output(["sh", "-ec", types], text=True, env=os.environ | {"NO_COLOR": "1"})
        assert re.search(r"https://\S+", output)[0].rstrip(".") in answer  # it is this server, and not another
        assert answer.endswith(f"atmpl {atmpl.__version__}\n")
        up.send_signal(number)
        printed, last = up.communicate(timeout=20)
    assert up.returncode == 0
    assert yaml.safe_load(printed)["current-context"] == "admin"
    assert "gone" in last
    assert not Path(line[2]).exists()


def test_help_names_the_commands() -> None:
    shown = subprocess.check_output([sys.executable, "-m", "e2e.envtest", "--help"], text=True)
    assert "up " in shown
    assert "programs " in shown
