"""One node a test run, with the controller deployed on it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.controlplane.crds import REQUEST
from e2e.node.deployed import Deployed, apply, vm
from e2e.node.node import Node
from e2e.node.place import VARIABLE

FIGURES: dict[str, str] = {}  # what was measured, in the order of the tests


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, figure in FIGURES.items():
        terminalreporter.write_line(f"{what}: {figure}")


@pytest.fixture(scope="session")
def figures() -> dict[str, str]:
    """What a test measures, for the person: by what it is."""
    return FIGURES


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A node that has the image of this checkout, and VMs, but not yet anything of ours."""
    place = os.environ.get(VARIABLE)
    if place is None:
        pytest.skip("a node lives in namespaces of its own, which `just node` makes")
    with Node(Path(place), [Path(place, "atmpl.tar")]) as running:
        running.kubectl("delete", "--filename", REQUEST)  # that is config/default's to define
        yield running


@pytest.fixture(scope="session")
def said(node: Node) -> str:
    """What kubectl said as all of it was applied; a warning among it would be on standard error."""
    done = apply(node)
    assert done.stderr == ""
    node.kubectl("apply", "--filename=-", input=vm())
    return done.stdout


@pytest.fixture
async def deployed(node: Node, said: str) -> AsyncIterator[Deployed]:
    """The controller, with all its replicas available."""
    assert said
    async with node.client() as client:
        controller = Deployed(node, client)
        await controller.available()
        yield controller
