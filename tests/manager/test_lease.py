"""Replicas that take turns, as real processes on a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from e2e.controller import Controller, service_account
from e2e.controlplane import Client, ControlPlane
from tests.manager.objects import condition, is_ready, reason, request, request_path, vm

LEASE = "/apis/coordination.k8s.io/v1/namespaces/atmpl-system/leases/atmpl-controller"


@pytest.fixture
async def cluster(private_server: Callable[..., ControlPlane]) -> ControlPlane:
    return await asyncio.to_thread(private_server)


@pytest.fixture
async def kubeconfig(cluster: ControlPlane) -> Path:
    return await asyncio.to_thread(service_account, cluster)


@pytest.fixture
async def client(cluster: ControlPlane) -> AsyncIterator[Client]:
    async with cluster.client() as client:
        yield client


def _replica(kubeconfig: Path, name: str) -> Controller:
    return Controller(kubeconfig, "--leader-elect", env={"POD_NAME": name})


async def _leads(replica: Controller, timeout: float) -> None:
    await asyncio.to_thread(replica.logged, lambda line: line["message"] == "leading", timeout=timeout)


async def test_one_replica_works_and_another_takes_over_after_a_clean_stop_and_after_a_kill(
    kubeconfig: Path, client: Client
) -> None:
    await client.create(vm("default"))
    with _replica(kubeconfig, "one") as one, _replica(kubeconfig, "two") as two:
        await _leads(one, 10)
        assert (await client.get(LEASE))["spec"]["holderIdentity"] == "one"
        assert two.ask("/readyz") == (200, "ok\n")  # a standby has its streams open
        assert "atmpl_leader 0.0" in two.ask("/metrics")[1]
        await client.create(request("default", "first"))
        await client.until(request_path("default", "first"), is_ready)
        assert await asyncio.to_thread(one.stop) == 0
        await _leads(two, 4)
        await client.create(request("default", "second"))
        await client.until(request_path("default", "second"), is_ready)
        with _replica(kubeconfig, "three") as three:
            await asyncio.to_thread(two.kill)
            await client.create(request("default", "third"))
            await _leads(three, 20)
            await client.until(request_path("default", "third"), is_ready)
            assert (await client.get(LEASE))["spec"]["leaseTransitions"] == 2


async def test_a_restarted_container_goes_on_with_its_own_lease(kubeconfig: Path, client: Client) -> None:
    first = _replica(kubeconfig, "pod")
    await asyncio.to_thread(first.start)
    await _leads(first, 10)
    await asyncio.to_thread(first.kill)
    with _replica(kubeconfig, "pod") as again:
        await _leads(again, 5)
    assert (await client.get(LEASE))["spec"]["holderIdentity"] == ""


async def test_a_bad_outcome_is_told_once_as_a_warning_event(kubeconfig: Path, client: Client) -> None:
    with Controller(kubeconfig):
        await client.create(request("default"))
        found = await client.until(request_path("default"), lambda it: reason(it) == "SourceNotFound")
        message = condition(found)["message"]
        await client.patch(request_path("default"), {"metadata": {"annotations": {"a": "note"}}})
        await client.create(vm("default"))
        await client.until(request_path("default"), is_ready)
        events = "/api/v1/namespaces/default/events"
        async with asyncio.timeout(10):
            async for event in client.watch(events, fieldSelector="involvedObject.name=request", resourceVersion="0"):
                assert event["type"] == "ADDED"
                break
        [event] = (await client.get(events, fieldSelector="involvedObject.name=request"))["items"]
    assert (event["type"], event["reason"], event["message"], event["count"]) == (
        "Warning",
        "SourceNotFound",
        message,
        1,
    )
    assert event["involvedObject"]["uid"] == found["metadata"]["uid"]
