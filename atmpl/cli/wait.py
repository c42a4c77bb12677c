"""One request, followed from its creation to its end: each state that its status goes through."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, NamedTuple

import aiohttp
import orjson

from atmpl.cli.client import ClusterClient, requests, said_in_full, sound
from atmpl.controller.cluster import UnavailableError
from atmpl.kube.client import iter_lines
from atmpl.kube.response import Response

SILENCE = 70.0  # seconds without a line before the server counts as gone; bookmarks come once a minute
AGAIN = 1.0  # seconds before a server that did not answer is asked again


class State(NamedTuple):
    """What a request says of itself at one moment."""

    found: dict[str, Any]  # the request as the server has it
    reason: str = ""  # of the condition Ready; empty as long as nobody has answered
    message: str = ""
    ready: bool = False
    stalled: bool = False  # no retry will help
    gone: bool = False  # it was deleted; `found` is its last state

    @property
    def final(self) -> bool:
        """Whether waiting longer is of no use."""
        return self.ready or self.stalled or self.gone


def state(found: dict[str, Any], *, gone: bool = False) -> State:
    """Read a request's conditions; what is not as it should be has not been said."""
    conditions = (found.get("status") or {}).get("conditions") or []
    said = {each.get("type"): each for each in conditions if isinstance(each, dict)}
    ready = said.get("Ready", {})
    return State(
        found=found,
        reason=str(ready.get("reason", "")),
        message=str(ready.get("message", "")),
        ready=ready.get("status") == "True",
        stalled=said.get("Stalled", {}).get("status") == "True",
        gone=gone,
    )


async def follow(api: ClusterClient, created: dict[str, Any]) -> AsyncGenerator[State, None]:
    """Yield the states of the request `created`, until it is deleted; never ends otherwise.

    A server that does not answer is asked again, for as long as the caller likes. Raises ClusterError where it refuses.
    """
    metadata = created["metadata"]
    collection, name, uid = requests(metadata["namespace"]), metadata["name"], metadata["uid"]
    found: dict[str, Any] | None = created
    while found is not None and found["metadata"]["uid"] == uid:  # not another one of its name
        yield state(found)
        with suppress(UnavailableError):
            async for event in _events(api, collection, name, str(found["metadata"].get("resourceVersion", ""))):
                found = event["object"]
                yield state(found, gone=event["type"] == "DELETED")
        created = found
        await asyncio.sleep(AGAIN)
        with suppress(UnavailableError):
            found = await api.read(f"{collection}/{name}")
    yield state(created, gone=True)


async def _events(api: ClusterClient, collection: str, name: str, version: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what one watch tells of the request, until the server ends it or knows the version no more."""
    query = {"watch": "true", "fieldSelector": f"metadata.name={name}", "resourceVersion": version}
    try:
        async with api.connection.stream(collection, query, "application/json", SILENCE) as response:
            if response.status == 410:
                return
            if response.status != 200:
                raise said_in_full(Response(response.status, await response.content.read(65536)))
            async for batch in iter_lines(response.content.iter_any()):
                for line in batch:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        return
                    if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                        yield {"type": event["type"], "object": sound(event["object"])}
    except (aiohttp.ClientError, OSError, ValueError, LookupError, TypeError) as error:
        raise UnavailableError(str(error)) from None
