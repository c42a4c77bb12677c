"""What two replicas are for: nothing is lost while one of them goes."""

import asyncio
from itertools import count

import pytest

from e2e.controlplane.client import ApiError, Object
from e2e.node.deployed import BUDGET, PATIENCE, PODS, REQUESTS, TEMPLATES, Deployed
from e2e.node.node import Node
from e2e.objects import is_ready

_BETWEEN = 0.1  # seconds between two requests of the stream


async def test_the_lease_moves_when_its_holder_is_deleted(deployed: Deployed) -> None:
    first = await deployed.holder()
    await deployed.client.delete(f"{PODS}/{first}")
    second = await deployed.holder(lambda holder: holder not in {"", first})
    assert second in await deployed.pods()
    await deployed.request("after-the-move")
    await deployed.rendered("after-the-move")


async def test_a_rolling_update_loses_no_request(node: Node, deployed: Deployed) -> None:
    old = set(await deployed.pods())
    sent: list[str] = []

    rolled_out = asyncio.Event()

    async def pour() -> None:
        for number in count():
            if rolled_out.is_set():
                return
            await deployed.request(name := f"pouring-{number}")
            sent.append(name)
            await asyncio.sleep(_BETWEEN)

    pouring = asyncio.create_task(pour())
    node.kubectl("rollout", "restart", "deployment", "atmpl-controller", "--namespace=atmpl-system")
    await deployed.available()
    rolled_out.set()
    await pouring  # to its end: a call that is cancelled may have been served all the same
    assert not old & set(await deployed.pods())
    assert len(sent) > 10
    for name in sent:
        await deployed.rendered(name)
    found = await deployed.client.get(TEMPLATES)
    made = [item["metadata"]["labels"]["ssp.kubevirt.io/request-uid"] for item in found["items"]]
    requests = await deployed.client.get(REQUESTS)
    assert sorted(made) == sorted(item["metadata"]["uid"] for item in requests["items"])
    assert all(is_ready(item) for item in requests["items"])


async def test_an_eviction_leaves_one_replica_standing(deployed: Deployed) -> None:
    first, second = await deployed.pods()
    await deployed.client.until(BUDGET, _allows_one, timeout=PATIENCE)
    await deployed.evict(first)
    with pytest.raises(ApiError, match="disruption budget") as refused:
        await deployed.evict(second)
    assert refused.value.status == 429
    await deployed.available()
    await deployed.client.until(BUDGET, _allows_one, timeout=PATIENCE)
    await deployed.evict(second)


def _allows_one(budget: Object | None) -> bool:
    status = (budget or {}).get("status", {})
    return bool(status.get("disruptionsAllowed") == 1)
