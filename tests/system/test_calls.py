"""What a request costs the API server, as its own audit log counts it."""

import asyncio
from collections import Counter
from collections.abc import Callable

from e2e.controller import Controller, service_account
from e2e.envtest import AUDIT_EVERY_CALL, ControlPlane
from e2e.objects import is_ready
from tests.support.builders import request, request_path, vm, vm_path

USER = "system:serviceaccount:atmpl-system:atmpl-controller"
Call = tuple[str, str]  # verb, resource


def _calls(server: ControlPlane) -> Counter[Call]:
    """Count what the controller has called, its streams apart."""
    calls: Counter[Call] = Counter()
    for event in server.audit_events():
        if event["user"]["username"] == USER and event["verb"] not in {"list", "watch"}:
            ref = event["objectRef"]
            calls[event["verb"], "/".join(filter(None, [ref["resource"], ref.get("subresource")]))] += 1
    return calls


async def _costs(server: ControlPlane, requests: int) -> bool:
    """Whether that many requests have cost three calls each, and nothing else has cost any."""
    expected = Counter({call: requests * count for call, count in FRESH.items()})
    async with asyncio.timeout(10):
        # A call is logged a moment after its effect shows.
        while (calls := _calls(server)).total() < expected.total():  # noqa: ASYNC110 - a file sends no event when it grows
            await asyncio.sleep(0.05)
    assert calls == expected
    return True


FRESH = {
    ("get", "virtualmachines"): 1,
    ("create", "templates"): 1,
    ("patch", "virtualmachinetemplaterequests/status"): 1,
}


async def test_new_request_costs_three_calls(
    private_server: Callable[..., ControlPlane],
) -> None:
    server = await asyncio.to_thread(private_server, audit=AUDIT_EVERY_CALL)
    kubeconfig = await asyncio.to_thread(service_account, server)
    async with server.client() as client:
        with Controller(kubeconfig):
            await client.create(vm("default"))
            await client.create(request("default"))
            await client.until(request_path("default"), is_ready)
            await client.create(request("default", "kept", refreshPolicy="OnChange"))
            await client.until(request_path("default", "kept"), is_ready)
            assert await _costs(server, requests=2)

            for number in range(5):  # status churn of the VM
                await client.patch(f"{vm_path('default')}/status", {"status": {"printableStatus": f"Turn {number}"}})
            await client.patch(request_path("default"), {"metadata": {"annotations": {"a": "note"}}})
            await client.create(request("default", "last"))
            await client.until(request_path("default", "last"), is_ready)
            assert await _costs(server, requests=3)

        with Controller(kubeconfig):  # a restart: everything is listed again, and nothing is called
            await client.create(request("default", "after"))
            await client.until(request_path("default", "after"), is_ready)
            assert await _costs(server, requests=4)
