"""A watch that records when each request became ready, as a user's client sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import aiohttp

from e2e import objects
from e2e.bench.bench_cluster import REQUESTS, FailedError
from e2e.envtest import ApiError, Client
from e2e.objects import Object


class Readiness:
    """The times at which requests became ready, on perf_counter's clock."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self._waiters: dict[str, asyncio.Future[None]] = {}  # by request
        self._expected = 0
        self._complete = asyncio.Event()
        self._failure: FailedError | None = None

    async def all(self, count: int, timeout: float) -> list[float]:
        """Wait until `count` requests are ready; return their times in order. Raises FailedError."""
        self._expected = count
        if len(self.times) < count and self._failure is None:
            self._complete.clear()
            try:
                await asyncio.wait_for(self._complete.wait(), timeout)
            except TimeoutError:
                raise FailedError(f"{count - len(self.times)} of {count} requests not ready in {timeout} s") from None
        if self._failure:
            raise self._failure
        return sorted(self.times.values())

    async def one(self, name: str, timeout: float = 30) -> float:
        """Wait until this request is ready; return its time. Raises FailedError."""
        if self._failure:
            raise self._failure
        if name not in self.times:
            waiter = self._waiters[name] = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(waiter, timeout)
            except TimeoutError:
                raise FailedError(f"request {name} is not ready in {timeout} s") from None
        return self.times[name]

    def observe(self, request: Object, now: float) -> None:
        """Record a state of a request. A Ready condition other than True fails the run."""
        name, condition = request["metadata"]["name"], objects.condition(request)
        if not condition or name in self.times:
            return
        if condition["status"] != "True":
            self.fail(FailedError(f"request {name} is not ready: {condition['reason']}: {condition['message']}"))
            return
        self.times[name] = now
        if waiter := self._waiters.pop(name, None):
            waiter.set_result(None)
        if len(self.times) >= self._expected:
            self._complete.set()

    def fail(self, failure: FailedError) -> None:
        """Let every wait raise this error."""
        self._failure = self._failure or failure
        self._complete.set()
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(failure)
        self._waiters.clear()


@asynccontextmanager
async def watch_readiness(client: Client) -> AsyncIterator[Readiness]:
    """Watch the requests of the benchmark from now on."""
    readiness = Readiness()
    version = str((await client.get(REQUESTS, limit=1))["metadata"]["resourceVersion"])

    async def watch(version: str) -> None:
        try:
            while True:  # the server ends watches that read too slowly
                async for event in client.watch(REQUESTS, resourceVersion=version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "DELETED":
                        readiness.observe(event["object"], perf_counter())
        except (ApiError, aiohttp.ClientError) as error:
            readiness.fail(FailedError(f"watch failed: {error}"))

    task = asyncio.create_task(watch(version))
    try:
        yield readiness
    finally:
        task.cancel()
