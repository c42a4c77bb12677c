"""Scale: atmpl with very many virtual machines and finished requests, compared with few virtual machines."""

import asyncio
import re
import time
from argparse import Namespace
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from statistics import median
from time import perf_counter

from e2e import objects
from e2e.bench import implementations
from e2e.bench.bench_cluster import REQUESTS, VMS, BenchCluster, bench_cluster, concurrently
from e2e.bench.calls import APICall, count_calls, require_calls
from e2e.bench.implementations import Implementation
from e2e.bench.readiness import watch_readiness
from e2e.bench.throughput import POSTED, SETTLE_SECONDS, drain
from e2e.controller import Controller
from e2e.program import Usage

FEW_REQUESTS = 10
LARGE_EDITS = 4
LARGE_COMMANDS = {  # the probe command of a VM with a large template; the first one is hard to compress
    "a VM of 990 kB": [b64encode(Random(number).randbytes(12_200)).decode() for number in range(60)],
    "a VM of 5,000 short texts": ["x"] * 5_000,
}
LIST_POLL_SECONDS = 0.5
_LISTED = re.compile(r'^atmpl_watch_lists_total\{stream="virtualmachines"\} [1-9]', re.MULTILINE)
PROBE_SECONDS, SCRAPE_SECONDS = 10, 30  # periods of the kubelet's probes and of Prometheus


async def scale(args: Namespace, log: Callable[[str], None]) -> list[str]:
    """Measure two clusters in turn; return the figures, one per line. Raises FAILURES."""
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        small, large = [await stack.enter_async_context(bench_cluster(fsync=False)) for _ in range(2)]
        log(f"loading {args.few:,} and {args.vms:,} virtual machines")
        await small.bulk_load_vms(args.few)
        await large.bulk_load_vms(args.vms)
        on_small, on_large = (implementations.atmpl(cluster.server, args.workers) for cluster in (small, large))
        log(f"starting with {FEW_REQUESTS} requests")
        lines += await _few_requests(small, on_small, large, on_large)
        for cluster in (small, large):
            log(f"draining {args.finished:,} requests with {len(cluster.vms):,} virtual machines")
            found = await drain(cluster, implementations.atmpl(cluster.server, args.workers), args.finished)
            vms = f"{len(cluster.vms):,} VMs"
            lines.append(f"draining {args.finished:,} requests with {vms}: peak memory {found.peak:.0f} MiB")
        log("starting with finished and fresh requests")
        lines.append(await _start(large, on_large, args.fresh))
        await asyncio.to_thread(_wait_until_vms_are_listed, on_large)
        await asyncio.sleep(SETTLE_SECONDS)
        log(f"measuring {args.quiet} s without events")
        lines.append(await _quiet(large, on_large, args.quiet))
        log(f"changing the status of {args.events:,} virtual machines")
        lines.append(await _status_changes(large, on_large, args.events))
        lines.append(await _status_changes(large, on_large, args.events, alone=True))
        log("comparing the CPU of a request")
        await asyncio.to_thread(on_small.start)
        await asyncio.to_thread(on_small.wait_for, "ready")
        few, many = [], []
        for repetition in range(args.repetitions):
            few.append(await _requests(small, on_small, args.fresh, f"repetition-{repetition}"))
            many.append(await _requests(large, on_large, args.fresh, f"repetition-{repetition}"))
        ratios = sorted(large / small for small, large in zip(few, many, strict=True))
        lines.append(
            f"a request: {median(few):.2f} ms of CPU with {args.few:,} VMs, {median(many):.2f} ms with {args.vms:,}; "
            f"ratio {median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )
        for implementation in (on_small, on_large):
            await asyncio.to_thread(implementation.stop)
        for vm, texts in LARGE_COMMANDS.items():
            log(f"refreshing {args.large} templates of {vm}")
            peak = await large_templates(small, on_small, args.large, texts, edits=LARGE_EDITS)
            lines.append(f"{args.large} requests with OnChange on {vm}: peak memory {peak:.0f} MiB")
    return lines


async def large_templates(
    cluster: BenchCluster, atmpl: Implementation, count: int, texts: list[str], *, edits: int
) -> float:
    """Have `count` large templates made from one VM, and refreshed from it; return the peak memory in MiB.

    `texts` become the VM's probe command: few and long, or many and short. The VM is edited while atmpl is stopped, and
    `edits` times while it runs; then it becomes small. Raises FAILURES.
    """
    await cluster.clear()
    body = objects.vm("large")
    body["spec"]["template"]["spec"]["readinessProbe"] = {"exec": {"command": texts}}
    await cluster.client.post(VMS, body)
    names = [f"large-{number}" for number in range(count)]
    await concurrently(lambda name: cluster.client.post(REQUESTS, objects.request(name, "large", keep=True)), names)
    await asyncio.to_thread(atmpl.start)
    await _wait_until_refreshed(cluster, names, generation=1)
    peaks = [atmpl.usage().peak]
    await asyncio.to_thread(atmpl.stop)
    changes = [objects.memory_of(f"{200 + number}Mi") for number in range(1 + edits)]
    changes.append({"spec": {"template": {"spec": {"readinessProbe": None}}}})
    for number, change in enumerate(changes):
        edited = await cluster.client.patch(f"{VMS}/large", change)
        if number == 0:
            await asyncio.to_thread(atmpl.start)
        await _wait_until_refreshed(cluster, names, edited["metadata"]["generation"])
    peaks.append(atmpl.usage().peak)
    await asyncio.to_thread(atmpl.stop)
    await cluster.client.delete(f"{VMS}/large")
    return max(peaks)


async def _wait_until_refreshed(cluster: BenchCluster, requests: list[str], generation: int) -> None:
    """Wait until the template of each request is that of the VM's `generation`."""

    def is_refreshed(request: objects.Object | None) -> bool:
        source = ((request or {}).get("status") or {}).get("source") or {}
        return bool(source.get("generation") == generation)

    for name in requests:
        await cluster.client.until(f"{REQUESTS}/{name}", is_refreshed, timeout=60 + len(requests))


class _Spent:
    """What an implementation used within `_spending`."""

    cpu = seconds = growth = 0.0
    after = Usage(0, 0, 0)


@asynccontextmanager
async def _spending(
    cluster: BenchCluster, one: Implementation, requests: int, own: dict[APICall, int] | None = None
) -> AsyncIterator[_Spent]:
    """Measure what an implementation uses. Raises FailedError if it makes other calls than those of `requests`."""
    spent, before, calls, began = _Spent(), one.usage(), await count_calls(cluster.client), perf_counter()
    yield spent
    spent.seconds = perf_counter() - began
    await asyncio.sleep(SETTLE_SECONDS)
    spent.after = one.usage()
    spent.cpu, spent.growth = spent.after.cpu - before.cpu, spent.after.resident - before.resident
    require_calls(calls, await count_calls(cluster.client), requests, own)


async def _few_requests(
    small: BenchCluster, on_small: Implementation, large: BenchCluster, on_large: Implementation
) -> list[str]:
    """Start atmpl with FEW_REQUESTS requests, and stop it when it has listed all virtual machines."""
    used: list[Usage] = []
    for cluster, atmpl in ((small, on_small), (large, on_large)):
        await cluster.clear()
        await cluster.post_requests(FEW_REQUESTS, "few")
        before = await count_calls(cluster.client)
        async with watch_readiness(cluster.client) as readiness:
            began = perf_counter()
            await asyncio.to_thread(atmpl.start)
            first = (await readiness.all(FEW_REQUESTS, timeout=120))[0] - began
        await asyncio.to_thread(_wait_until_vms_are_listed, atmpl)
        await asyncio.sleep(SETTLE_SECONDS)
        used.append(atmpl.usage())
        await asyncio.to_thread(atmpl.stop)
        require_calls(before, await count_calls(cluster.client), FEW_REQUESTS)
    more = len(large.vms) - len(small.vms)
    start = (
        f"start among {len(large.vms):,} VMs with {FEW_REQUESTS} requests: first template after {first:.2f} s, "
        f"peak memory {used[1].peak:.0f} MiB (with {len(small.vms):,} VMs: {used[0].peak:.0f} MiB)"
    )
    stream = (
        f"CPU per event of a VM that no request refers to, in a stream (the list of {more:,} more VMs): "
        f"{(used[1].cpu - used[0].cpu) / more * 1e6:.0f} us"
    )
    return [start, stream]


def _wait_until_vms_are_listed(atmpl: Implementation) -> None:
    controller = atmpl.program
    assert isinstance(controller, Controller)
    while not _LISTED.search(controller.get("/metrics")[1]):
        time.sleep(LIST_POLL_SECONDS)


async def _start(cluster: BenchCluster, atmpl: Implementation, count: int) -> str:
    """Start atmpl when `count` fresh requests exist. It is left running."""
    await cluster.post_requests(count, "fresh")
    before = await count_calls(cluster.client)
    async with watch_readiness(cluster.client) as readiness:
        began = perf_counter()
        await asyncio.to_thread(atmpl.start)
        await asyncio.to_thread(atmpl.wait_for, "ready")
        synced = perf_counter() - began
        times = await readiness.all(count, timeout=60 + count / 10)
    await asyncio.sleep(SETTLE_SECONDS)
    require_calls(before, await count_calls(cluster.client), count)
    used = atmpl.usage()
    return (
        f"start: ready after {synced:.1f} s, first fresh request after {times[0] - began:.1f} s, all {count:,} after "
        f"{times[-1] - began:.1f} s; {used.cpu:.1f} s of CPU, peak memory {used.peak:.0f} MiB; finished ones: 0 calls"
    )


async def _quiet(cluster: BenchCluster, atmpl: Implementation, seconds: int) -> str:
    """Probe and scrape atmpl as a kubelet and Prometheus do, with no other events."""
    controller = atmpl.program
    assert isinstance(controller, Controller)
    async with _spending(cluster, atmpl, requests=0) as spent:
        for second in range(seconds):
            for path, period in (("/healthz", PROBE_SECONDS), ("/readyz", PROBE_SECONDS), ("/metrics", SCRAPE_SECONDS)):
                if second % period == 0:
                    await asyncio.to_thread(controller.get, path)
            await asyncio.sleep(1)
    hour = spent.cpu * 3600 / spent.seconds
    return f"no events for {seconds} s: {hour:.1f} s of CPU per hour, memory {spent.after.resident:.0f} MiB"


async def _status_changes(cluster: BenchCluster, atmpl: Implementation, count: int, *, alone: bool = False) -> str:
    """Change the status of `count` virtual machines: as fast as the server accepts it, or one after the other."""
    status = "Stopped" if alone else "Migrating"

    async def change(name: str) -> None:
        await cluster.client.patch(f"{VMS}/{name}/status", {"status": {"printableStatus": status}})

    async with _spending(cluster, atmpl, 0, {("PATCH", "virtualmachines/status", "200"): count}) as spent:
        if alone:
            for name in cluster.vms[:count]:
                await change(name)
        else:
            await concurrently(change, cluster.vms[:count])
    return (
        f"{count:,} status changes {'one after the other' if alone else 'at once'}, {count / spent.seconds:.0f}/s: "
        f"{spent.cpu / count * 1e6:.0f} us of CPU per event, 0 calls, memory grew {spent.growth:.1f} MiB"
    )


async def _requests(cluster: BenchCluster, atmpl: Implementation, count: int, prefix: str) -> float:
    """Post `count` requests; return the ms of CPU that each took."""
    async with _spending(cluster, atmpl, count, {POSTED: count}) as spent, watch_readiness(cluster.client) as readiness:
        await cluster.post_requests(count, prefix)
        await readiness.all(count, timeout=60 + count / 10)
    return spent.cpu / count * 1000
