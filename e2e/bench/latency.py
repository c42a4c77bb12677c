"""The second race: how long one request takes, alone and while others come."""

import asyncio
from collections import Counter
from time import perf_counter

from e2e.bench.calls import counted, require
from e2e.bench.contestants import BareLoop, Follower
from e2e.bench.drain import SETTLE
from e2e.bench.objects import REQUESTS
from e2e.bench.readiness import Readiness, watching
from e2e.bench.record import record
from e2e.bench.results import Paced, Single
from e2e.bench.stage import Stage

LOADS = (0.2, 0.5, 0.8)  # of the ceiling


async def bare_single(stage: Stage, contestant: BareLoop, count: int) -> Single:
    """Make the three calls of one request after the other, over one connection."""
    await stage.clear()
    requests = await stage.post_requests(count)
    contestant.prepare(await record(await stage.stored_vms(), requests), connections=1)
    before = await counted(stage.client)
    await asyncio.to_thread(contestant.begin)
    seconds = await asyncio.to_thread(contestant.seconds)
    await asyncio.to_thread(contestant.finish)
    require((await counted(stage.client)).since(before).calls, count)
    return Single(contestant.name, seconds, seconds)


async def latencies(
    stage: Stage, contestant: Follower, ceiling: float, singles: int, count: int
) -> tuple[Single, list[Paced]]:
    """Post `singles` requests one after the other, then `count` at each of the LOADS."""
    await stage.clear()
    before = await counted(stage.client)
    async with watching(stage.client) as readiness:
        await asyncio.to_thread(contestant.ready)
        single = await _single(stage, contestant.name, readiness, singles)
        paced = [
            Paced(contestant.name, load, load * ceiling, await _paced(stage, readiness, load, ceiling, count))
            for load in LOADS
        ]
        await asyncio.sleep(SETTLE)  # the watcher may see a status before the controller has the answer to its write
        await asyncio.to_thread(contestant.finish)
    served = singles + len(LOADS) * count
    posts = Counter({("POST", "virtualmachinetemplaterequests", "201"): served})
    require((await counted(stage.client)).since(before).calls, served, posts)
    return single, paced


async def _single(stage: Stage, name: str, readiness: Readiness, count: int) -> Single:
    created, whole = [], []
    for number in range(count):
        request = stage.request(f"single-{number}", number)
        posted = perf_counter()
        await stage.client.post(REQUESTS, request)
        answered = perf_counter()
        ready = await readiness.one(request["metadata"]["name"])
        created.append(ready - answered)
        whole.append(ready - posted)
    return Single(name, created, whole)


async def _paced(stage: Stage, readiness: Readiness, load: float, ceiling: float, count: int) -> list[float]:
    """Post at a steady pace, whether or not what went before is done: who falls behind, pays for it."""
    began = perf_counter()

    async def one(number: int) -> float:
        request = stage.request(f"paced-{load * 100:.0f}-{number}", number)
        due = began + number / (load * ceiling)
        await asyncio.sleep(due - perf_counter())
        await stage.client.post(REQUESTS, request)
        return await readiness.one(request["metadata"]["name"], timeout=120) - due

    return await asyncio.gather(*map(one, range(count)))
