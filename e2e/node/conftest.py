"""One node per test run, with the controller deployed on it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.envtest.crds import REQUEST
from e2e.manifests import warnings
from e2e.node.deployment import Deployment, apply, vm
from e2e.node.node import Node
from e2e.node.sandbox import FOLDER_VARIABLE

MEASUREMENTS: dict[str, str] = {}  # in the order of the tests


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, value in MEASUREMENTS.items():
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def measurements() -> dict[str, str]:
    """Measurements of the tests, printed at the end."""
    return MEASUREMENTS


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A node that has the image of this checkout and the API of VMs. Nothing of atmpl is installed."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        pytest.skip("a node needs the sandbox that `just node` creates")
    with Node(Path(folder), [Path(folder, "atmpl.tar")]) as running:
        running.kubectl("delete", "--filename", REQUEST)  # config/default defines it
        yield running


@pytest.fixture(scope="session")
def applied(node: Node) -> str:
    """The output of `kubectl apply`, which prints warnings on standard error."""
    done = apply(node)
    assert warnings(done.stderr) == []
    node.kubectl("apply", "--filename=-", input=vm())
    return done.stdout


@pytest.fixture
async def deployment(node: Node, applied: str) -> AsyncIterator[Deployment]:
    """The Deployment, with all replicas available."""
    assert applied
    async with node.client() as client:
        controller = Deployment(node, client)
        await controller.available()
        yield controller
