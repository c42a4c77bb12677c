"""A sink for a stream, and a stream that follows a script into it."""

import asyncio
from random import Random
from types import SimpleNamespace

import msgspec
import orjson

from atmpl.controller.key import Key
from atmpl.kube.stream import Seen, Stream
from atmpl.kube.watch import Watch
from tests import clock
from tests.kube.scripted import (
    Act,
    Script,
    bookmark,
    connected,
    event,
    stream,
    thing,
)


class Shelf:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}
        self.told: list[str] = []
        self.largest = 0

    def put(self, data: msgspec.Raw) -> Seen:
        seen = self._seen(data)
        self.things[seen.key.name] = int(seen.version or "0")
        self.largest = max(self.largest, len(bytes(data)))
        return seen

    def drop(self, data: msgspec.Raw) -> Seen:
        seen = self._seen(data)
        self.things.pop(seen.key.name, None)
        return seen

    def keep_only(self, keys: set[Key]) -> None:
        self.things = {name: version for name, version in self.things.items() if Key("ns", name) in keys}

    def served(self, yes: bool) -> None:
        self.told.append("synced" if yes else "not served")

    def _seen(self, data: msgspec.Raw) -> Seen:
        found = orjson.loads(bytes(data))
        if not isinstance(found, dict) or "metadata" not in found:
            raise msgspec.DecodeError("no object")
        return Seen(Key("ns", found["metadata"]["name"]), found["metadata"]["resourceVersion"])


class Most(Random):
    """Draws the most."""

    def uniform(self, a: float, b: float) -> float:
        return b


async def follow(
    *acts: Act, random: Random | None = None, watched: Stream | None = None
) -> SimpleNamespace:  # shelf, asked, calls, waits, watch
    """Run a stream through a script to its end."""
    shelf, script, waits = Shelf(), Script(*acts), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    async with connected(script) as connection:
        watch = Watch(
            watched or Stream("/things"),
            connection,
            shelf,
            random=random or Random(1),
            now=clock.now,
            sleep=sleep,
        )
        await until_over(watch, script)
    return SimpleNamespace(shelf=shelf, asked=script.asked, calls=script.calls, waits=waits, watch=watch)


async def until_over(watch: Watch, script: Script) -> None:
    task = asyncio.create_task(watch.run())
    over = asyncio.create_task(script.over.wait())
    await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
    assert script.over.is_set(), task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def versions(asked: list[dict[str, str]]) -> list[str]:
    """From where each call began: a version, a streamed list, or a page of one."""
    return [
        "list" if "sendInitialEvents" in query else query.get("resourceVersion", f"page {query.get('continue', '')}")
        for query in asked
    ]


LISTED = stream(event("ADDED", thing("a", 1)), event("ADDED", thing("b", 2)), bookmark(5, end_of_list=True))
BOTH = {"a": 1, "b": 2}
