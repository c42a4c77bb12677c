"""A watcher: when each request became ready, as whoever waits for it sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import aiohttp

from e2e.bench.errors import FailedError
from e2e.bench.objects import REQUESTS, TEMPLATES
from e2e.controlplane import ApiError, Client


class Readiness:
    """What the watcher has seen so far."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}  # by request: when it was first seen ready, on perf_counter's clock
        self._waiting: dict[str, asyncio.Future[float]] = {}
        self._wanted = 0
        self._enough = asyncio.Event()
        self._failure: FailedError | None = None

    async def all(self, count: int, timeout: float) -> list[float]:
        """Wait until `count` requests are ready; return when each was, in order. Raises FailedError."""
        self._wanted = count
        if len(self.times) < count and not self._failure:
            self._enough.clear()
            try:
                await asyncio.wait_for(self._enough.wait(), timeout)
            except TimeoutError:
                raise FailedError(f"{count - len(self.times)} of {count} requests not ready in {timeout} s") from None
        if self._failure:
            raise self._failure
        return sorted(self.times.values())

    async def one(self, name: str, timeout: float = 30) -> float:
        """Wait until this request is ready; return when it was. Raises FailedError."""
        if self._failure:
            raise self._failure
        if name in self.times:
            return self.times[name]
        waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(waiting, timeout)
        except TimeoutError:
            raise FailedError(f"request {name} is not ready in {timeout} s") from None

    def take(self, request: dict[str, Any], now: float) -> None:
        """Take an event."""
        name = request["metadata"]["name"]
        conditions = request.get("status", {}).get("conditions", ())
        ready = next((condition for condition in conditions if condition["type"] == "Ready"), None)
        if ready is None or name in self.times:
            return
        if ready["status"] != "True":
            self.fail(FailedError(f"request {name} is not ready: {ready['reason']}: {ready['message']}"))
            return
        self.times[name] = now
        if waiting := self._waiting.pop(name, None):
            waiting.set_result(now)
        if len(self.times) >= self._wanted:
            self._enough.set()

    def fail(self, failure: FailedError) -> None:
        """End every wait."""
        self._failure = self._failure or failure
        self._enough.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(failure)
        self._waiting.clear()


@asynccontextmanager
async def watching(client: Client) -> AsyncIterator[Readiness]:
    """Watch the requests from now on."""
    readiness = Readiness()

    async def follow(version: str) -> None:
        try:
            while True:  # the server ends a watch whose watcher it finds too slow; what was missed comes then
                async for event in client.watch(REQUESTS, resourceVersion=version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "DELETED":
                        readiness.take(event["object"], perf_counter())
        except (ApiError, aiohttp.ClientError) as error:
            readiness.fail(FailedError(f"the watch failed: {error}"))

    task = asyncio.create_task(follow(await _version(client, REQUESTS)))
    try:
        yield readiness
    finally:
        task.cancel()


@asynccontextmanager
async def first_template(client: Client) -> AsyncIterator["asyncio.Task[float]"]:
    """Watch for the first new template, and no further; the task's result is when it was seen."""

    async def follow(version: str) -> float:
        async for _ in client.watch(TEMPLATES, resourceVersion=version):
            return perf_counter()
        raise FailedError("the server ended the watch before there was a template")

    task = asyncio.create_task(follow(await _version(client, TEMPLATES)))
    try:
        yield task
    finally:
        task.cancel()


async def _version(client: Client, collection: str) -> str:
    return str((await client.get(collection, limit=1))["metadata"]["resourceVersion"])
