"""Throughput and latency: how fast requests are served, and how long one request takes, alone and under load."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from e2e.bench.bench_cluster import REQUESTS, TEMPLATES, BenchCluster, FailedError
from e2e.bench.calls import CALLS_PER_REQUEST, count_calls, record_calls, require_calls
from e2e.bench.implementations import ATMPL, BASELINE, BaselineLoop, Implementation
from e2e.bench.readiness import Readiness, watch_readiness

SETTLE_SECONDS = 1.0  # until an implementation without work is idle, and has the responses to its last writes
LOADS = (0.2, 0.5, 0.8)  # of the rate at which requests can be both posted and served
POSTED = ("POST", "virtualmachinetemplaterequests", "201")


@dataclass(frozen=True)
class Drain:
    """The figures of one drain: requests that exist when the implementation starts."""

    rate: float  # requests per second, from the first ready request to the last
    cpu: float  # ms of the implementation's CPU per request
    server_cpu: float  # ms of the API server's CPU per request
    peak: float  # MiB
    first: float  # seconds from the start of the process to the first ready request


@dataclass
class Measured:
    """The figures of one implementation."""

    drains: list[Drain] = field(default_factory=list)
    idle_memory: list[float] = field(default_factory=list)  # MiB
    alone: list[float] = field(default_factory=list)  # seconds per request, one request after the other
    loaded: dict[float, list[float]] = field(default_factory=dict)  # seconds per request, by load

    def figures(self, name: str) -> list[float]:
        """Return one figure of all drains."""
        return [getattr(drain, name) for drain in self.drains]


async def measure_idle(cluster: BenchCluster, implementation: Implementation) -> float:
    """Start an implementation that finds no request; set its startup CPU and return its memory in MiB."""
    await cluster.clear()
    implementation.startup_cpu = 0.0
    await asyncio.to_thread(implementation.start)
    await asyncio.to_thread(implementation.wait_for, "ready")
    await asyncio.sleep(SETTLE_SECONDS)
    used = implementation.usage()
    implementation.startup_cpu = used.cpu
    await asyncio.to_thread(implementation.stop)
    return used.resident


async def drain(
    cluster: BenchCluster,
    implementation: Implementation,
    count: int,
    meanwhile: AbstractAsyncContextManager[None] | None = None,
) -> Drain:
    """Let `count` existing requests be served. Raises FailedError unless each is, with exactly its three calls."""
    await cluster.clear()
    requests = await cluster.post_requests(count)
    if isinstance(implementation, BaselineLoop):
        implementation.prepare(await record_calls(await cluster.stored_vms(), requests))
    before = await count_calls(cluster.client)
    async with watch_readiness(cluster.client) as readiness, meanwhile or nullcontext():
        began = perf_counter()
        await asyncio.to_thread(implementation.start)
        times = await readiness.all(count, timeout=60 + count / 10)
        used = implementation.usage()
    await asyncio.sleep(SETTLE_SECONDS)
    await asyncio.to_thread(implementation.stop)
    after = await count_calls(cluster.client)
    require_calls(before, after, count)
    if (templates := await cluster.count(TEMPLATES)) != count:
        raise FailedError(f"{implementation.name} created {templates} templates for {count} requests")
    return Drain(
        rate=(count - 1) / (times[-1] - times[0]),
        cpu=used.cpu / count * 1000,
        server_cpu=(after.cpu - before.cpu) / count * 1000,
        peak=used.peak,
        first=times[0] - began,
    )


async def measure(
    cluster: BenchCluster,
    implementations: Sequence[Implementation],
    *,
    requests: int,
    repetitions: int,
    alone: int,
    loaded: int,
    log: Callable[[str], None],
) -> tuple[dict[str, Measured], float]:
    """Measure all implementations in turn; return their figures, and the rate of a load of 1.0."""
    measured: dict[str, Measured] = defaultdict(Measured)
    baseline = next(one for one in implementations if isinstance(one, BaselineLoop))
    log("warming the server up")
    await drain(cluster, baseline, max(requests // 2, 1))
    for repetition in range(repetitions):
        first = repetition % len(implementations)
        for implementation in (*implementations[first:], *implementations[:first]):
            figures = measured[implementation.name]
            if implementation is not baseline:
                figures.idle_memory.append(await measure_idle(cluster, implementation))
            found = await drain(cluster, implementation, requests)
            figures.drains.append(found)
            log(f"{repetition + 1}: {implementation.name}: {found.rate:.0f}/s, {found.cpu:.2f} ms of CPU per request")
    full_load = 1 / (1 / median(cluster.post_rates) + 1 / median(measured[BASELINE].figures("rate")))
    if loaded:
        log("measuring latency")
        measured[BASELINE].alone = await _baseline_alone(cluster, baseline, alone)
        for implementation in implementations:
            if implementation is not baseline:
                figures = measured[implementation.name]
                await _latencies(cluster, implementation, figures, full_load=full_load, alone=alone, loaded=loaded)
    return {one.name: measured[one.name] for one in implementations}, full_load


async def _baseline_alone(cluster: BenchCluster, baseline: BaselineLoop, count: int) -> list[float]:
    """Return the seconds of each request's three calls, over one connection."""
    await cluster.clear()
    requests = await cluster.post_requests(count)
    baseline.prepare(await record_calls(await cluster.stored_vms(), requests), connections=1)
    before = await count_calls(cluster.client)
    await asyncio.to_thread(baseline.start)
    seconds: list[float] = (await asyncio.to_thread(baseline.wait_for, "done"))["seconds"]
    await asyncio.to_thread(baseline.stop)
    require_calls(before, await count_calls(cluster.client), count)
    return seconds


async def _latencies(
    cluster: BenchCluster,
    implementation: Implementation,
    figures: Measured,
    *,
    full_load: float,
    alone: int,
    loaded: int,
) -> None:
    """Post `alone` requests one after the other, then `loaded` requests at each of the LOADS."""
    await cluster.clear()
    before = await count_calls(cluster.client)
    async with watch_readiness(cluster.client) as readiness:
        await asyncio.to_thread(implementation.start)
        await asyncio.to_thread(implementation.wait_for, "ready")
        for number in range(alone):
            request = cluster.request(f"alone-{number}", number)
            await cluster.client.post(REQUESTS, request)
            posted = perf_counter()
            figures.alone.append(await readiness.one(request["metadata"]["name"]) - posted)
        for load in LOADS:
            figures.loaded[load] = await _at_rate(
                cluster, readiness, load * full_load, loaded, f"load-{load * 100:.0f}"
            )
        await asyncio.sleep(SETTLE_SECONDS)
        await asyncio.to_thread(implementation.stop)
    served = alone + len(LOADS) * loaded
    require_calls(before, await count_calls(cluster.client), served, {POSTED: served})


async def _at_rate(cluster: BenchCluster, readiness: Readiness, rate: float, count: int, prefix: str) -> list[float]:
    """Post at a constant rate, also if earlier requests are not ready; a latency counts from the scheduled post."""
    began = perf_counter()

    async def one(number: int) -> float:
        request = cluster.request(f"{prefix}-{number}", number)
        scheduled = began + number / rate
        await asyncio.sleep(scheduled - perf_counter())
        await cluster.client.post(REQUESTS, request)
        return await readiness.one(request["metadata"]["name"], timeout=120) - scheduled

    return await asyncio.gather(*map(one, range(count)))


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least `part` of all values do not exceed (nearest rank)."""
    rank = max(1, -int(-len(values) * part // 1))
    return sorted(values)[rank - 1]


def report(measured: dict[str, Measured], full_load: float) -> str:
    """Return the figures as text: medians, but the highest peak memory; ratios are medians over neighbouring drains."""
    lines = [f"{'drain':20} {'requests/s':>16} {'ratio':>6} {'CPU ms':>7} {'ratio':>6} {'server CPU ms':>14}"]
    lines[0] += f" {'peak MiB':>9} {'idle MiB':>9} {'first ready s':>14}"
    for name, found in measured.items():
        rates, cpu = found.figures("rate"), found.figures("cpu")
        spread = f"{median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f})"
        ratios = (_ratio(measured, name, BASELINE, "rate"), _ratio(measured, name, BASELINE, "cpu"))
        line = f"{name:20} {spread:>16} {ratios[0]:6.2f} {median(cpu):7.2f} {ratios[1]:6.2f}"
        line += f" {median(found.figures('server_cpu')):14.2f} {max(found.figures('peak')):9.0f}"
        if found.idle_memory:
            line += f" {median(found.idle_memory):9.0f} {median(found.figures('first')):14.2f}"
        lines.append(line)
    lines += ["", *_comparisons(measured)]
    lines += ["", f"latency in ms: p50 / p99; a load of 100% is {full_load:.0f} requests/s"]
    for name, found in measured.items():
        series = {"alone": found.alone} | {f"{load:.0%}": latencies for load, latencies in found.loaded.items()}
        cells = [f"{label} {_milliseconds(values)}" for label, values in series.items() if values]
        lines.append(f"{name:20} {'; '.join(cells)}")
    return "\n".join(lines)


def _comparisons(measured: dict[str, Measured]) -> list[str]:
    """Return the ratios of atmpl to each other implementation."""
    others = [name for name in measured if name != ATMPL] if ATMPL in measured else []
    calls = sum(CALLS_PER_REQUEST.values())
    return [
        f"atmpl to {other}: drain rate {_ratio(measured, ATMPL, other, 'rate'):.2f}, "
        f"CPU per request {_ratio(measured, ATMPL, other, 'cpu'):.2f}"
        for other in others
    ] + [f"calls per request: {calls} ({', '.join(' '.join(call[:2]) for call in CALLS_PER_REQUEST)})"]


def _ratio(measured: dict[str, Measured], name: str, other: str, figure: str) -> float:
    pairs = zip(measured[name].figures(figure), measured[other].figures(figure), strict=True)
    return median(own / compared for own, compared in pairs)


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{percentile(seconds, 0.5) * 1000:.1f} / {percentile(seconds, 0.99) * 1000:.1f}"
