"""A controller in its pod says what it does, asked with the very commands of config/README.md."""

import json
import shutil
import subprocess

import pytest

from e2e.node.deployed import CONFIG, Deployed
from e2e.node.node import Node

CHAPTER = (CONFIG / "README.md").read_text().partition("\n## Monitoring\n")[2].partition("\n## ")[0]


def typed(node: Node, first: str) -> str:
    """Type the block of commands that begins so, `team-a/web` being a request of ours; return what it prints."""
    [block] = [block for block in CHAPTER.split("\n\n") if block.lstrip().startswith(first)]
    command = ["bash", "-o", "errexit", "-o", "pipefail", "-c", block.replace("team-a/web", "default/asked")]
    return subprocess.run(command, env=node.env(), stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here")
async def test_the_log_shows_what_became_of_a_request_and_on_a_signal_what_was_called(
    node: Node, deployed: Deployed
) -> None:
    leader = await deployed.holder()
    typed(node, "leader=")
    await deployed.request("asked")
    await deployed.rendered("asked")
    typed(node, "leader=")  # once more: as before
    lines = [json.loads(line) for line in typed(node, "kubectl -n atmpl-system logs").splitlines()]
    assert "Rendered" in [line["message"] for line in lines]
    said = node.kubectl("logs", leader, "--namespace=atmpl-system")
    messages = [json.loads(line)["message"] for line in said.splitlines()]
    asked = messages[messages.index("debug is on") : messages.index("debug is off")]
    assert "tasks" in asked
    assert "call" in asked
