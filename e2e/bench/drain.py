"""The first race: requests that are there already are served as fast as can be."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from time import perf_counter

from e2e.bench.calls import counted, require
from e2e.bench.contestants import BareLoop, Contestant, Follower
from e2e.bench.errors import FailedError
from e2e.bench.objects import TEMPLATES
from e2e.bench.readiness import first_template, watching
from e2e.bench.record import record
from e2e.bench.results import Drain, Idle
from e2e.bench.stage import Stage
from e2e.bench.usage import usage

SETTLE = 1.0  # seconds until a controller that has nothing to do has come to rest


async def idle(stage: Stage, contestant: Follower) -> Idle:
    """Start a controller that finds virtual machines and no request."""
    await stage.clear()
    began = perf_counter()
    await asyncio.to_thread(contestant.ready)
    start = perf_counter() - began
    await asyncio.sleep(SETTLE)
    used = usage(contestant.pid)
    contestant.before = used.cpu
    await asyncio.to_thread(contestant.finish)
    return Idle(contestant.name, start, used.cpu, used.resident)


async def drain(
    stage: Stage, contestant: Contestant, count: int, *, beside: AbstractAsyncContextManager[None] | None = None
) -> Drain:
    """Have `count` requests served, within `beside`. Raises FailedError unless each is, by exactly its three calls."""
    await stage.clear()
    requests = await stage.post_requests(count)
    if isinstance(contestant, BareLoop):
        contestant.prepare(await record(await stage.stored_vms(), requests))
    before = await counted(stage.client)
    async with watching(stage.client) as readiness, first_template(stage.client) as first, beside or nullcontext():
        began = perf_counter()
        await asyncio.to_thread(contestant.begin)
        times = await readiness.all(count, timeout=60 + count / 10)
        used = contestant.used()
        first_at = await first
    await asyncio.sleep(SETTLE)  # the watcher may know of a status before its writer has the answer
    await asyncio.to_thread(contestant.finish)
    spent = (await counted(stage.client)).since(before)
    require(spent.calls, count)
    if (made := await stage.count(TEMPLATES)) != count:
        raise FailedError(f"{contestant.name} made {made} templates for {count} requests")
    return Drain(
        contestant.name,
        rate=(count - 1) / (times[-1] - times[0]),
        cpu=used.cpu / count * 1000,
        server_cpu=spent.cpu / count * 1000,
        peak=used.peak,
        first=first_at - began,
        calls=spent.calls.total() / count,
    )
