"""A store that records what it receives, and a reflector that fills it from a scripted server."""

import asyncio
from random import Random
from types import SimpleNamespace

import msgspec
import orjson

from atmpl.controller.objects import ObjectKey
from atmpl.kube.reflector import Reflector
from atmpl.kube.stores import ObjectVersion, Store
from atmpl.kube.watch_events import WatchTarget
from tests.support import virtual_clock
from tests.support.scripted_server import (
    Act,
    Script,
    bookmark,
    connected,
    event,
    stream,
    thing,
)


class RecordingStore(Store):
    """A store that records what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, int] = {}
        self.status: list[str] = []
        self.largest = 0

    def __len__(self) -> int:
        return len(self.things)

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        seen = self._seen(data)
        self.things[seen.key.name] = int(seen.version or "0")
        self.largest = max(self.largest, len(bytes(data)))
        return seen

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        seen = self._seen(data)
        self.things.pop(seen.key.name, None)
        return seen

    def retain_only(self, keys: set[ObjectKey]) -> None:
        self.things = {name: version for name, version in self.things.items() if ObjectKey("ns", name) in keys}

    def mark_synced(self, *, served: bool) -> None:
        super().mark_synced(served=served)
        self.status.append("synced" if served else "not served")

    def _seen(self, data: msgspec.Raw) -> ObjectVersion:
        found = orjson.loads(bytes(data))
        if not isinstance(found, dict) or "metadata" not in found:
            raise msgspec.DecodeError("no object")
        return ObjectVersion(ObjectKey("ns", found["metadata"]["name"]), found["metadata"]["resourceVersion"])


class Most(Random):
    """Returns the maximum."""

    def uniform(self, a: float, b: float) -> float:
        return b


async def follow(
    *acts: Act, random: Random | None = None, watched: WatchTarget | None = None
) -> SimpleNamespace:  # store, queries, calls, waits, watch
    """Run a reflector until the script ends."""
    store, script, waits = RecordingStore(), Script(*acts), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    async with connected(script) as connection:
        watch = Reflector(
            watched or WatchTarget("/things"),
            connection,
            store,
            random=random or Random(1),
            now=virtual_clock.now,
            sleep=sleep,
        )
        await until_over(watch, script)
    return SimpleNamespace(store=store, queries=script.queries, calls=script.calls, waits=waits, watch=watch)


async def until_over(watch: Reflector, script: Script) -> None:
    task = asyncio.create_task(watch.run())
    over = asyncio.create_task(script.over.wait())
    await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
    assert script.over.is_set(), task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def versions(queries: list[dict[str, str]]) -> list[str]:
    """Return where each call began: a version, a streamed list, or a page."""
    return [
        "list" if "sendInitialEvents" in query else query.get("resourceVersion", f"page {query.get('continue', '')}")
        for query in queries
    ]


LISTED = stream(event("ADDED", thing("a", 1)), event("ADDED", thing("b", 2)), bookmark(5, end_of_list=True))
BOTH = {"a": 1, "b": 2}
