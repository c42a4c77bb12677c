"""The commands of config/README.md that read logs and send signals, in a real pod."""

import json
import shutil
import subprocess

import pytest

from e2e.node.deployment import CONFIG, Deployment
from e2e.node.node import Node

CHAPTER = (CONFIG / "README.md").read_text().partition("\n## Monitoring\n")[2].partition("\n## ")[0]


def run_block(node: Node, first: str) -> str:
    """Run the block of commands that begins so, for the request `default/logged`; return its output."""
    [block] = [block for block in CHAPTER.split("\n\n") if block.lstrip().startswith(first)]
    command = ["bash", "-o", "errexit", "-o", "pipefail", "-c", block.replace("team-a/web", "default/logged")]
    return subprocess.run(command, env=node.env(), stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here")
async def test_log_has_the_outcome_and_on_a_signal_the_calls(node: Node, deployment: Deployment) -> None:
    leader = await deployment.holder()
    run_block(node, "leader=")
    await deployment.request("logged")
    await deployment.rendered("logged")
    run_block(node, "leader=")  # again: restores the level
    lines = [json.loads(line) for line in run_block(node, "kubectl -n atmpl-system logs").splitlines()]
    assert "Rendered" in [line["message"] for line in lines]
    printed = node.kubectl("logs", leader, "--namespace=atmpl-system")
    messages = [json.loads(line)["message"] for line in printed.splitlines()]
    debug = messages[messages.index("debug is on") : messages.index("debug is off")]
    assert "tasks" in debug
    assert "call" in debug
