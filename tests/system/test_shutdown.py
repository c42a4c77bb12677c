"""Shutdown: active reconciles are finished, and a server that hangs does not delay it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from e2e.chaos.tcp_proxy import TCPProxy
from e2e.controller import Controller
from e2e.envtest import Client, ControlPlane
from e2e.objects import condition, is_ready
from tests.support.builders import request, request_path, vm

PROMISED = timedelta(seconds=5)  # from the first signal to the end
DEPLOYMENT = yaml.safe_load((Path(__file__).parents[2] / "config" / "manager" / "deployment.yaml").read_text())
GRACE_PERIOD_SECONDS = DEPLOYMENT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
SIGNALS = [signal.SIGTERM, signal.SIGINT]
LARGE_REQUESTS = 200  # more than the workers, who finish what they have


@pytest.fixture(scope="module")
def server(own_server: ControlPlane) -> ControlPlane:
    return own_server


@asynccontextmanager
async def _hanging(server: ControlPlane) -> AsyncIterator[Callable[[], None]]:
    """Suspend the API server: it accepts calls and does not respond. Yield a function that resumes it."""

    def go_on() -> None:
        server.processes.signal("kube-apiserver", signal.SIGCONT)

    server.processes.signal("kube-apiserver", signal.SIGSTOP)
    try:
        yield go_on
    finally:
        go_on()


def _took(controller: Controller) -> timedelta:
    """Return the time from the line "stopping" to the line "stopped", the last one."""
    [stopping] = [line for line in controller.lines if line["message"] == "stopping"]
    assert controller.lines[-1]["message"] == "stopped"
    return datetime.fromisoformat(controller.lines[-1]["time"]) - datetime.fromisoformat(stopping["time"])


@pytest.mark.parametrize("number", SIGNALS)
async def test_shutdown_is_in_time_if_the_server_hangs(
    server: ControlPlane, kubeconfig: Path, client: Client, namespace: str, number: signal.Signals
) -> None:
    await client.create(vm(namespace))
    with Controller(kubeconfig, "--leader-elect", env={"POD_NAME": "pod"}) as controller:
        await client.create(request(namespace))
        await client.until(request_path(namespace), is_ready)
        async with _hanging(server):
            controller.send(number)
            assert await asyncio.to_thread(controller.end) == 0
    assert _took(controller) < PROMISED
    assert controller.noise == []


@pytest.mark.parametrize("number", SIGNALS)
async def test_shutdown_finishes_active_reconciles_only(
    server: ControlPlane, kubeconfig: Path, client: Client, namespace: str, number: signal.Signals
) -> None:
    await client.create(vm(namespace))
    async with TCPProxy(server.url) as wire:
        controller = Controller(wire.through(kubeconfig), "--workers=1")
        await asyncio.to_thread(controller.__enter__)
        try:
            wire.hold()
            await client.create(request(namespace, "active"))
            await wire.held.wait()  # the one worker wants to read the VM
            await client.create(request(namespace, "left"))
            controller.send(number)
            await asyncio.to_thread(controller.logged, lambda line: line["message"] == "stopping")
        finally:
            wire.let_go()
            status = await asyncio.to_thread(controller.end)
    assert status == 0
    assert [line["active"] for line in controller.lines if line["message"] == "stopping"] == [1]
    messages = {line["request"]: line["message"] for line in controller.lines if "request" in line}
    assert messages == {f"{namespace}/active": "Rendered"}
    assert is_ready(await client.get(request_path(namespace, "active")))
    assert condition(await client.get(request_path(namespace, "left"))) == {}
    await client.delete(request_path(namespace, "left"))  # nor is the next test's controller to find it
    assert _took(controller) < PROMISED


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # 1.4 MB, by this test's own client
async def test_shutdown_is_in_time_while_large_vms_are_rendered(
    kubeconfig: Path, client: Client, namespace: str
) -> None:
    """Rendering occupies the event loop. 64 workers finish the requests that they have, and leave the others."""
    large = vm(namespace)
    selector = {f"key-{number}": "x" * 300 for number in range(4_500)}  # 1.4 MB
    large["spec"]["template"]["spec"]["nodeSelector"] = selector
    await client.create(large)
    for number in range(LARGE_REQUESTS):
        await client.create(request(namespace, f"request-{number}"))
    with Controller(kubeconfig, "--leader-elect", env={"POD_NAME": "pod"}) as controller:
        await asyncio.to_thread(controller.logged, lambda line: line["message"] == "TooLarge", timeout=60)
        controller.send(signal.SIGTERM)
        # subprocess.TimeoutExpired after this, when the kubelet would kill it
        assert await asyncio.to_thread(controller.process.wait, GRACE_PERIOD_SECONDS) == 0
    assert sum(line["message"] == "TooLarge" for line in controller.lines) < LARGE_REQUESTS


async def test_second_signal_ends_at_once(
    server: ControlPlane, kubeconfig: Path, client: Client, namespace: str
) -> None:
    with Controller(kubeconfig, "--workers=1") as controller:
        async with _hanging(server):
            controller.send(signal.SIGSTOP)  # both signals arrive when it resumes, the second one after the first
            controller.send(signal.SIGTERM)
            controller.send(signal.SIGINT)
            controller.send(signal.SIGCONT)
            assert await asyncio.to_thread(controller.end) in {128 + 2, 128 + 15}
    assert controller.lines[-1]["message"] != "stopped"
