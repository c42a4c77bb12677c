"""Replicas that take turns, as real processes on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.controller import Controller
from e2e.envtest import ApiError, Client, ControlPlane
from e2e.objects import is_ready
from e2e.program import Line
from tests.support.builders import request, request_path, vm

LEASE = "/apis/coordination.k8s.io/v1/namespaces/atmpl-system/leases/atmpl-controller"
AFTER_A_STOP, AFTER_A_KILL = timedelta(seconds=3), timedelta(seconds=20)  # the promise


@pytest.fixture(scope="module")
def server(own_server: ControlPlane) -> ControlPlane:
    return own_server


@pytest.fixture(autouse=True)
async def free(client: Client) -> AsyncIterator[None]:
    """No replica has held the lease yet."""
    yield
    with suppress(ApiError):
        await client.delete(LEASE)


def _replica(kubeconfig: Path, name: str) -> Controller:
    return Controller(kubeconfig, "--leader-elect", env={"POD_NAME": name})


async def _leads(replica: Controller) -> datetime:
    """Wait until a replica leads; return since when."""
    return _time(await asyncio.to_thread(replica.logged, lambda line: line["message"] == "lease acquired"))


def _time(line: Line) -> datetime:
    return datetime.fromisoformat(line["time"])


async def test_standby_takes_over_after_stop_and_kill(kubeconfig: Path, client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    with _replica(kubeconfig, "one") as one, _replica(kubeconfig, "two") as two:
        await _leads(one)
        assert (await client.get(LEASE))["spec"]["holderIdentity"] == "one"
        assert two.get("/readyz") == (200, "ok\n")  # a standby has its streams open
        assert "atmpl_leader 0.0" in two.get("/metrics")[1]
        await client.create(request(namespace, "first"))
        await client.until(request_path(namespace, "first"), is_ready)
        assert await asyncio.to_thread(one.stop) == 0
        assert await _leads(two) - _time(one.lines[-1]) <= AFTER_A_STOP
        await client.create(request(namespace, "second"))
        await client.until(request_path(namespace, "second"), is_ready)
        with _replica(kubeconfig, "three") as three:
            killed = datetime.now(UTC)
            await asyncio.to_thread(two.kill)
            await client.create(request(namespace, "third"))
            assert await _leads(three) - killed <= AFTER_A_KILL
            await client.until(request_path(namespace, "third"), is_ready)
            assert (await client.get(LEASE))["spec"]["leaseTransitions"] == 2


async def test_restarted_container_keeps_its_lease(kubeconfig: Path, client: Client) -> None:
    first = _replica(kubeconfig, "pod")
    await asyncio.to_thread(first.start)
    await _leads(first)
    killed = datetime.now(UTC)
    await asyncio.to_thread(first.kill)
    with _replica(kubeconfig, "pod") as again:
        assert await _leads(again) - killed < timedelta(seconds=10)  # it would take 15 to outwait another's
    assert (await client.get(LEASE))["spec"]["holderIdentity"] == ""
