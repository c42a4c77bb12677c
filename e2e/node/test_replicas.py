"""Two replicas: no request is lost if one of them ends."""

import asyncio
from itertools import count

import pytest

from e2e.envtest.client import ApiError, Object
from e2e.node.deployment import BUDGET, PODS, REQUESTS, TEMPLATES, TIMEOUT_SECONDS, Deployment
from e2e.node.node import Node
from e2e.objects import is_ready

_INTERVAL_SECONDS = 0.1  # between two requests


async def test_lease_moves_when_its_holder_is_deleted(deployment: Deployment) -> None:
    first = await deployment.holder()
    await deployment.client.delete(f"{PODS}/{first}")
    second = await deployment.holder(lambda holder: holder not in {"", first})
    assert second in await deployment.pods()
    await deployment.request("after-takeover")
    await deployment.rendered("after-takeover")


async def test_rolling_update_loses_no_request(node: Node, deployment: Deployment) -> None:
    old = set(await deployment.pods())
    sent: list[str] = []

    rolled_out = asyncio.Event()

    async def create_requests() -> None:
        for number in count():
            if rolled_out.is_set():
                return
            await deployment.request(name := f"during-rollout-{number}")
            sent.append(name)
            await asyncio.sleep(_INTERVAL_SECONDS)

    creating = asyncio.create_task(create_requests())
    node.kubectl("rollout", "restart", "deployment", "atmpl-controller", "--namespace=atmpl-system")
    await deployment.available()
    rolled_out.set()
    await creating  # not cancelled: the server can have served a cancelled call
    assert not old & set(await deployment.pods())
    assert len(sent) > 10
    for name in sent:
        await deployment.rendered(name)
    found = await deployment.client.get(TEMPLATES)
    made = [item["metadata"]["labels"]["ssp.kubevirt.io/request-uid"] for item in found["items"]]
    requests = await deployment.client.get(REQUESTS)
    assert sorted(made) == sorted(item["metadata"]["uid"] for item in requests["items"])
    assert all(is_ready(item) for item in requests["items"])


async def test_eviction_leaves_one_replica(deployment: Deployment) -> None:
    first, second = await deployment.pods()
    await deployment.client.until(BUDGET, _allows_one, timeout=TIMEOUT_SECONDS)
    await deployment.evict(first)
    with pytest.raises(ApiError, match="disruption budget") as refused:
        await deployment.evict(second)
    assert refused.value.status == 429
    await deployment.available()
    await deployment.client.until(BUDGET, _allows_one, timeout=TIMEOUT_SECONDS)
    await deployment.evict(second)


def _allows_one(budget: Object | None) -> bool:
    status = (budget or {}).get("status", {})
    return bool(status.get("disruptionsAllowed") == 1)
