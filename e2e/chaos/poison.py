"""One VM whose template is expensive to render and always rejected, among many others that must not be delayed."""

import asyncio
import statistics
import time

from e2e import objects
from e2e.chaos.controller_metrics import figures
from e2e.chaos.scenario import ChaosCluster, Report
from e2e.envtest import Client

GOOD, POISON = "good", "poison"  # namespaces
NONE = {"count/templates.template.openshift.io": "0"}
SIZE = 280_000  # bytes of the poison VM: its template is just below the size limit
PAUSE = 0.01  # seconds between two posts
PATIENCE = 120.0


async def poison(cluster: ChaosCluster, good: int) -> Report:
    """Serve `good` requests alone, and as many again beside one that fails for good.

    The one that fails may be tried only as often as its backoff allows. The report has the seconds of both, for a
    reader to compare: other load on the machine changes them.
    """
    report = Report()
    controller = cluster.controller("flood")
    async with cluster.server.client() as client:
        for name in (GOOD, POISON):
            await client.create(objects.namespace(name))
        await client.post(objects.vms(GOOD), objects.vm("vm"))
        await client.post(objects.vms(POISON), _poison())
        quota = f"/api/v1/namespaces/{POISON}/resourcequotas"
        await client.post(quota, _quota())
        await client.patch(f"{quota}/none/status", {"status": {"hard": NONE, "used": NONE}})  # no quota controller runs
        await asyncio.to_thread(controller.__enter__)
        try:
            alone = await _wave(client, "alone", good)
            since = time.monotonic()
            await client.post(objects.requests(POISON), objects.request("request"))
            await client.until(f"{objects.requests(POISON)}/request", lambda it: objects.reason(it) == "Forbidden")
            beside = await _wave(client, "beside", good)
            tries = (await figures(controller))["atmpl_outcomes_total"]["Forbidden"]
            took = time.monotonic() - since
            await client.delete(f"{objects.requests(POISON)}/request")
        finally:
            await asyncio.to_thread(controller.stop)
    for name, seconds in (("alone", alone), ("beside the poison", beside)):
        report.figures[f"median ms, {name}"] = round(statistics.median(seconds) * 1000, 1)
        report.figures[f"slowest ms, {name}"] = round(max(seconds) * 1000, 1)
    report.figures |= {"good": good, "tries of the poison": int(tries)}
    report.expect(tries <= _allowed(took), f"the poison was tried {tries:.0f} times in {took:.0f} s")
    return report


def _allowed(seconds: float) -> int:
    """Return how many tries a request may have that fails from the start: waits double from a second on."""
    return 2 + int(seconds + 1).bit_length()


async def _wave(client: Client, name: str, good: int) -> list[float]:
    """Post requests, one after the other; return after how many seconds each of them was ready."""
    posted: dict[str, float] = {}
    ready: dict[str, float] = {}
    version = (await client.get(objects.requests(GOOD), limit=1))["metadata"]["resourceVersion"]

    async def post() -> None:
        for number in range(good):
            request = objects.request(f"{name}-{number}")
            posted[request["metadata"]["name"]] = time.monotonic()
            await client.post(objects.requests(GOOD), request)
            await asyncio.sleep(PAUSE)

    async def watch() -> None:
        async for event in client.watch(objects.requests(GOOD), resourceVersion=version):
            if objects.reason(event["object"]) == "Rendered":
                ready.setdefault(event["object"]["metadata"]["name"], time.monotonic())
            if len(ready) == good:
                return

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(post(), watch())
    return [ready[name] - posted[name] for name in posted]


def _poison() -> objects.Object:
    """Return a VM of many leaves."""
    vm = objects.vm("vm")
    vm["spec"]["template"]["spec"]["nodeSelector"] = {f"key-{number}": "x" * 48 for number in range(SIZE // 64)}
    return vm


def _quota() -> objects.Object:
    """Return a quota that admits no template, and which the controller cannot see before it has rendered one."""
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": NONE}}
