"""What is measured among very many virtual machines, step by step. Each raises FailedError where a call is too many."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from time import perf_counter

import msgspec
import orjson

from e2e.bench.calls import counted, require
from e2e.bench.contestants import Follower
from e2e.bench.drain import SETTLE
from e2e.bench.errors import FailedError
from e2e.bench.listed import Listed
from e2e.bench.objects import VMS
from e2e.bench.readiness import first_template, watching
from e2e.bench.scale_results import Churn, Quiet, Start
from e2e.bench.stage import Stage, spread
from e2e.bench.usage import usage
from e2e.controller import Controller, pod

PROBED, SCRAPED = 10, 30  # seconds between two looks of a kubelet, and of Prometheus
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def start(stage: Stage, atmpl: Follower, count: int) -> Start:
    """Start atmpl where `count` fresh requests wait for it. It is left running."""
    await stage.post_requests(count, "fresh")
    before = await counted(stage.client)
    async with watching(stage.client) as readiness, first_template(stage.client) as first:
        began = perf_counter()
        await asyncio.to_thread(atmpl.ready)
        ready = perf_counter() - began
        times = await readiness.all(count, timeout=60 + count / 10)
        used = usage(atmpl.pid)
        first_at = await first
    require((await counted(stage.client)).since(before).calls, count)
    return Start(ready, first_at - began, times[-1] - began, used.cpu, used.peak)


async def quiet(stage: Stage, atmpl: Follower, seconds: int) -> Quiet:
    """Let nothing happen, but ask as a kubelet and Prometheus do."""
    controller = atmpl.program
    assert isinstance(controller, Controller), "only atmpl's own probes are known"
    await asyncio.sleep(SETTLE)
    before, calls = usage(atmpl.pid), await counted(stage.client)
    for second in range(seconds):
        for path, every in (("/healthz", PROBED), ("/readyz", PROBED), ("/metrics", SCRAPED)):
            if second % every == 0:
                await asyncio.to_thread(controller.ask, path)
        await asyncio.sleep(1)
    after = usage(atmpl.pid)
    require((await counted(stage.client)).since(calls).calls, 0)
    return Quiet(seconds, after.cpu - before.cpu, after.resident)


async def churn(stage: Stage, atmpl: Follower, count: int) -> Churn:
    """Change the status of `count` virtual machines as fast as can be."""

    async def change(name: str) -> None:
        await stage.client.patch(f"{VMS}/{name}/status", {"status": {"printableStatus": "Migrating"}})

    before, calls = usage(atmpl.pid), await counted(stage.client)
    began = perf_counter()
    await spread(change, stage.vms[:count])
    rate = count / (perf_counter() - began)
    await asyncio.sleep(SETTLE)
    after = usage(atmpl.pid)
    ours = Counter({("PATCH", "virtualmachines/status", "200"): count})
    require((await counted(stage.client)).since(calls).calls, 0, ours)
    return Churn(count, rate, (after.cpu - before.cpu) / count * 1e6, after.resident - before.resident)


async def reconcile(stage: Stage, atmpl: Follower, count: int, prefix: str) -> float:
    """Post `count` requests to a controller that runs; return what each costs it, in ms of CPU."""
    before, calls = usage(atmpl.pid).cpu, await counted(stage.client)
    async with watching(stage.client) as readiness:
        await stage.post_requests(count, prefix)
        await readiness.all(count, timeout=60 + count / 10)
    await asyncio.sleep(SETTLE)
    spent = usage(atmpl.pid).cpu - before
    ours = Counter({("POST", "virtualmachinetemplaterequests", "201"): count})
    require((await counted(stage.client)).since(calls).calls, count, ours)
    return spent / count * 1000


async def size(stage: Stage) -> float:
    """Return how many bytes a virtual machine's metadata has in a stream, on average."""
    found = await stage.client.request("GET", VMS, accept=METADATA_LIST, params={"limit": 500})
    return sum(len(orjson.dumps(item)) for item in found["items"]) / len(found["items"])


async def listed(stage: Stage) -> Listed:
    """Have the stream of all virtual machines read again and again, by a process that does nothing else."""
    command = [sys.executable, "-m", "e2e.bench.listed"]
    env = os.environ | await asyncio.to_thread(pod, stage.server)
    done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, check=False)
    if done.returncode or done.stderr:
        raise FailedError(f"reading the list ended with status {done.returncode}: {done.stderr.decode()}")
    return msgspec.json.decode(done.stdout, type=Listed)
