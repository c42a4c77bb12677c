"""A controller's metrics."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from e2e.controller import Controller

PATIENCE = 60.0  # seconds until a queue is empty
QUEUE = ("workqueue_depth", "workqueue_delayed", "controller_runtime_active_workers")


async def figures(controller: Controller) -> dict[str, dict[str, float]]:
    """Return each figure that has one label, by that label's value. At most a second old."""
    _, text = await asyncio.to_thread(controller.get, "/metrics")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if len(sample.labels) == 1:
                [label] = sample.labels.values()
                found.setdefault(sample.name, {})[label] = sample.value
    return found


async def lists(controller: Controller) -> dict[str, float]:
    """Return how many lists each stream has made."""
    return (await figures(controller))["atmpl_watch_lists_total"]


async def settled(controller: Controller) -> None:
    """Wait until nothing is in the queue, nothing waits to be put there, and nothing is in hand.

    Raises TimeoutError with the rest of the queue.
    """
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        found = await figures(controller)
        left = {name: value for name in QUEUE for value in found[name].values() if value}
        if not left:
            return
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(f"{controller.name} is not at rest after {PATIENCE:.0f} s: {left}")
        await asyncio.sleep(0.2)
