"""`kubectl atmpl`, through the real kubectl; and what the help of the cluster's commands shows works when pasted."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from atmpl.cli import create, diff
from e2e.envtest import Client, Server
from tests.support.builders import vm
from tests.unit.cli.test_help import examples

pytestmark = [
    pytest.mark.usefixtures("controller"),
    pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"),
]


@pytest.fixture
def bash(server: Server, namespace: str, tmp_path: Path):
    """Return a function that runs a line of bash; its kubeconfig has the namespace of the test."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    env = server.env() | {
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{server.env()['PATH']}",
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    return lambda line: asyncio.to_thread(run, line)


async def test_kubectl_finds_each_command(bash, client: Client, namespace: str) -> None:
    await client.create(vm(namespace, "web"))
    made = await bash("kubectl atmpl create --vm web -o name")
    assert (made.returncode, made.stdout) == (0, "template.template.openshift.io/web-template\n")
    params = await bash("kubectl get template web-template -o yaml | kubectl atmpl process - --print-params")
    assert "REQUESTS_MEMORY" in params.stdout
    rendered = await bash("kubectl get vm web -o yaml | kubectl atmpl render - | kubectl create -f - --dry-run=server")
    assert '"web-template" already exists' in rendered.stderr
    assert (await bash("kubectl atmpl diff --template web-template")).returncode == 0
    # kubectl adds its own message about the plugin's exit status.
    assert (await bash("kubectl atmpl diff --template none")).returncode != 0
    assert "usage: kubectl atmpl create" in (await bash("kubectl atmpl create --help")).stdout


async def test_examples_of_create_and_diff_work(bash, client: Client, namespace: str) -> None:
    await client.create(vm(namespace, "web"))
    await bash("kubectl get vm web -o yaml > vm.yaml")
    for line in examples(create.EPILOG):
        ran = await bash(line.replace("team-a", namespace).replace("shared", namespace))
        assert ran.returncode == 0, (line, ran.stderr)
    await bash("kubectl get template web-template -o yaml > web-template.yaml")
    for line in examples(diff.EPILOG):
        ran = await bash(line)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", ""), line
    vms = await bash("kubectl get vm -o name")
    assert vms.stdout.split() == ["virtualmachine.kubevirt.io/web"]  # the examples make templates, and no VM


def test_each_help_has_its_examples() -> None:
    assert [len(examples(each.EPILOG)) for each in (create, diff)] == [6, 4]
