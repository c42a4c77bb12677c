"""The demo, run as in a new clone."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.demo.steps import BEFORE_THE_CONTROLLER, WITH_THE_CONTROLLER, Step, with_prompt
from tests.support.child_process import started
from tests.support.shared_data import SHARED, needs_shared

CHECKOUT = Path(__file__).parents[3]
DEMO = CHECKOUT / "e2e" / "demo"

# Lines of its output, in this order.
EXPECTED_LINES = (
    r"^validatingadmissionpolicybinding\.admissionregistration\.k8s\.io/atmpl-request-access-v1 created$",
    r"^\$ kubectl apply -f e2e/demo/vm\.yaml -f e2e/demo/request\.yaml$",
    r"^\$ atmpl controller --kubeconfig \S+ \\\n    --bind 127\.0\.0\.1:0 --log-format text &$",
    r"^\S+ info    listening  host=127\.0\.0\.1 port=\d+$",
    r"^NAME +SOURCE +TEMPLATE +READY +REASON +AGE$",
    r"^virtualmachinetemplaterequest-sample +vmi-ephemeral +vmi-ephemeral-template +True +Rendered +\S+$",
    r"^kind: Template$",
    r"^              bus: \$\{DISK0_BUS\}$|^                bus: \$\{DISK0_BUS\}$",
    r"^- description: disk0-bus$",
    r"^\$ kubectl get template vmi-ephemeral-template -o yaml \\\n    \| atmpl process - -p REQUESTS_MEMORY=256Mi$",
    r"^ +memory: 256Mi$",
    r"^virtualmachine\.kubevirt\.io/vmi-ephemeral-\w{5} created$",
    r"^\$ M=\.spec\S+\n\$ kubectl get vm -o custom-columns",  # two commands, and it shows
    r"^vmi-ephemeral +128Mi$",
    r"^vmi-ephemeral-\w{5} +256Mi$",
    r"^\$ kubectl patch vm vmi-ephemeral ",
    r"^follow-vmi-ephemeral +512Mi$",
    r"^vmi-ephemeral-template +128Mi$",
    r"^Everything is stopped and removed\.$",
)


@contextmanager
def demo(*args: str, tmp: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "e2e.demo", *args]
    with started(
        command,
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(tmp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def test_demo_shows_each_step_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp=tmp_path) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    rest = output
    for line in EXPECTED_LINES:
        found = re.search(line, rest, re.MULTILINE)
        assert found, f"{line} not in:\n{rest}"
        rest = rest[found.end() :]
    assert "\033" not in output
    assert list(tmp_path.iterdir()) == []


def test_kept_demo_is_usable_until_ctrl_c(tmp_path: Path) -> None:
    with demo("--keep", tmp=tmp_path) as process:
        output = ""
        while "Ctrl-C here stops" not in output:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            output += line
        env_file = re.search(r"^  (\. \S+/env)$", output, re.MULTILINE)[1]
        listed = subprocess.check_output(
            ["sh", "-ec", f"{env_file}; atmpl --version; kubectl get vm,vmtreq,template -o name"], text=True
        )
        assert "template.template.openshift.io/vmi-ephemeral-template" in listed
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.endswith("\nEverything is stopped and removed.\n")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp=tmp_path) as process:
        while "atmpl controller" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    assert output.endswith("\nEverything is stopped and removed.\n")
    assert list(tmp_path.iterdir()) == []


def test_demo_in_a_closed_pipe_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp=tmp_path) as process:
        while "kubectl apply" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(30)
    assert process.returncode == 141
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", BEFORE_THE_CONTROLLER + WITH_THE_CONTROLLER, ids=lambda step: step.sentence)
def test_step_fits_80_columns(step: Step) -> None:
    assert max(map(len, [step.sentence, *with_prompt(step.command).splitlines()])) <= 80


@needs_shared
def test_request_equals_the_design_example() -> None:
    assert SHARED is not None
    design = (SHARED / "design" / "vm-template-generation.txt").read_text()
    assert f"```yaml\n{(DEMO / 'request.yaml').read_text()}```" in design
