"""What an engineer on call sees of a real controller: the dashboard, the probes, and times by the server's clock."""

import asyncio
import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e import gotools
from e2e.chaos.controller_metrics import figures
from e2e.controller import Controller
from e2e.envtest import Client, ControlPlane
from e2e.incidents.clock_ahead import AHEAD_SECONDS
from e2e.incidents.dashboard import problems_of_panels, query_of
from e2e.incidents.incidents import CONFIG, Unread
from e2e.incidents.monitoring import Monitoring, Pod, free_port
from e2e.objects import is_ready
from tests.support.builders import request, request_path, vm

PIPE_BYTES = 4096  # the least that Linux allows
INTERVAL_SECONDS = 1  # of scrapes
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def server(own_server: ControlPlane) -> ControlPlane:
    return own_server


@pytest.fixture
def running(kubeconfig: Path) -> Iterator[ExitStack]:
    """Return a stack that stops the controllers at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.skipif(
    not (gotools.available("prometheus") and gotools.available("alertmanager")),
    reason="`just incidents` builds Prometheus and Alertmanager",
)
async def test_dashboard_shows_one_installation_without_nan(
    server: ControlPlane, kubeconfig: Path, client: Client, namespace: str, running: ExitStack
) -> None:
    await asyncio.to_thread(server.kubectl, "apply", "--server-side", "--kustomize", CONFIG / "policy")
    await client.create(vm(namespace))
    pods = [Pod(namespace, "pod", free_port()), Pod("idle", "pod", free_port())]

    async def deployments() -> list[dict[str, Any]]:
        return []

    async with Monitoring(pods, deployments, interval_seconds=INTERVAL_SECONDS) as monitoring:
        for pod in pods:
            options = (f"--namespace={pod.namespace}", f"--bind=127.0.0.1:{pod.port}", "--policy=Required")
            await asyncio.to_thread(running.enter_context, Controller(kubeconfig, *options))
        began, number = time.time(), 0

        async def rendered() -> float:
            expression = 'sum(rate(atmpl_outcomes_total{namespace="$namespace",outcome="Rendered"}[$__rate_interval]))'
            found = await monitoring.query(query_of(expression, namespace, INTERVAL_SECONDS))
            return float(found[0]["value"][1]) if found else 0.0

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await rendered():
                await client.create(request(namespace, f"request-{number}"))
                await client.until(request_path(namespace, f"request-{number}"), is_ready)
                number += 1
            while True:  # until it is idle again
                if not await rendered():
                    break
                await asyncio.sleep(0.2)
        names = {"busy": namespace, "idle": "idle", "policy": namespace}
        assert [it async for it in problems_of_panels(monitoring, began, time.time(), **names)] == []


async def test_probes_answer_if_the_log_is_not_read(
    kubeconfig: Path, client: Client, namespace: str, running: ExitStack
) -> None:
    """A blocked write to standard error must not block the event loop."""
    controller = Unread(kubeconfig, f"--namespace={namespace}", "--log-level=debug")
    await asyncio.to_thread(running.enter_context, controller)
    assert controller.process.stdout is not None
    assert fcntl.fcntl(controller.process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES) == PIPE_BYTES
    await client.create(vm(namespace))
    for number in range(30):  # 90 lines of more than 100 bytes
        await client.create(request(namespace, f"request-{number}"))
    for number in range(30):
        await client.until(request_path(namespace, f"request-{number}"), is_ready)
    assert (await asyncio.to_thread(controller.get, "/healthz")) == (200, "ok\n")
    assert (await figures(controller))["atmpl_outcomes_total"]["Rendered"] == 30


async def test_ttl_counts_by_the_clock_of_the_server(
    kubeconfig: Path, client: Client, namespace: str, running: ExitStack
) -> None:
    """By its own clock, the controller would delete the request as soon as it is finished."""
    controller = Controller(kubeconfig, f"--namespace={namespace}", module="e2e.incidents.clock_ahead")
    await asyncio.to_thread(running.enter_context, controller)
    await client.create(vm(namespace))
    for name, seconds in (("later", AHEAD_SECONDS // 2), ("soon", 1)):
        await client.create(request(namespace, name, ttlSecondsAfterFinished=int(seconds)))
    line = await asyncio.to_thread(controller.logged, lambda line: line["message"] == "Expired")
    assert (line["level"], line["request"]) == ("info", f"{namespace}/soon")
    await client.until(request_path(namespace, "later"), is_ready)
    await client.until(request_path(namespace, "soon"), lambda it: it is None)
    assert [line["request"] for line in controller.lines if line["message"] == "Expired"] == [f"{namespace}/soon"]
    _, text = await asyncio.to_thread(controller.get, "/metrics")
    [skew] = [line.split()[1] for line in text.splitlines() if line.startswith("atmpl_clock_skew_seconds ")]
    assert float(skew) == pytest.approx(AHEAD_SECONDS, abs=10)
