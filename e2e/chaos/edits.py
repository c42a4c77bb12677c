"""A VM is edited many times per second while its template is refreshed: writes coalesce, and the last edit wins."""

import asyncio
import time
from collections import Counter

from e2e import objects
from e2e.chaos.controller_metrics import settled
from e2e.chaos.scenario import ChaosCluster, Report

NAMESPACE = "edits"
STEP = 60.0  # seconds until the template has the last edit


async def edits(cluster: ChaosCluster, seconds: float, rate: float, writes_per_second: float) -> Report:
    """Edit one VM `rate` times a second; its template is to be written at most `writes_per_second` times."""
    report = Report()
    controller = cluster.controller("edits")
    template = f"{objects.templates(NAMESPACE)}/request"
    async with cluster.server.client() as client:
        await client.create(objects.namespace(NAMESPACE))
        await client.post(objects.vms(NAMESPACE), objects.vm("vm"))
        await client.post(objects.requests(NAMESPACE), objects.request("request", keep=True))
        await asyncio.to_thread(controller.__enter__)
        try:
            await client.until(template, lambda it: objects.memory(it) == "128Mi")
            await settled(controller)
            before = len(cluster.writes())
            since = time.monotonic()
            edited = 0
            while (now := time.monotonic() - since) < seconds:
                edited += 1
                await client.patch(f"{objects.vms(NAMESPACE)}/vm", objects.memory_of(f"{128 + edited}Mi"))
                await asyncio.sleep(edited / rate - now)
            last, after = f"{128 + edited}Mi", time.monotonic()
            await client.until(template, lambda it: objects.memory(it) == last, timeout=STEP)
            report.figures["s until the last edit showed"] = round(time.monotonic() - after, 2)
            await settled(controller)
            found = await client.get(template)
            report.expect(objects.memory(found) == last, "the template does not have the last edit")
        finally:
            await asyncio.to_thread(controller.stop)
    calls = Counter(event["objectRef"]["resource"] for event in cluster.writes()[before:])
    allowed = writes_per_second * seconds + 2
    report.figures |= {"edits": edited} | {f"writes of {name}": count for name, count in calls.items()}
    for name, count in calls.items():
        report.expect(count <= allowed, f"{count} writes of {name} for {edited} edits in {seconds} s")
    return report
