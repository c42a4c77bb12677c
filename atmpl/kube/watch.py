"""One stream of objects of one kind: listed, then watched, for as long as the process lives.

    Lost ──list──> Synced ──watch──> Synced(newer) ──410──> Lost
      │               │
      └── NotServed   └── any other failure: the same version again, after a while

A state is all that a `step` needs, and a step ends in the next state; between two steps nothing else is remembered.
Whatever happens, the sink hears of each object's last state and of each object that vanished, also of those that did so
while nobody was listening: after a list, what it did not name is gone. Design section 3.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

import aiohttp
import msgspec

from atmpl.controller.cluster import UnavailableError
from atmpl.controller.key import Key
from atmpl.kube.answer import Answer, status_of
from atmpl.kube.backoff import full_jitter
from atmpl.kube.connection import METADATA, METADATA_LIST, Connection
from atmpl.kube.depth import shallow
from atmpl.kube.lines import LineTooLongError, lines
from atmpl.kube.quoting import of_client

log = logging.getLogger(__name__)

SILENCE = 70.0  # seconds without a line before a peer counts as dead; bookmarks come once a minute
SESSION = (300, 600)  # seconds: a watch's timeoutSeconds is drawn from here, so that they do not all end at once
PAGE = 500  # objects a page of a list
FIRST_WAIT, MOST_WAIT = 0.8, 30.0  # seconds of backoff
SHORT = 1.0  # seconds: a watch that ends sooner has not done its work
HEALTHY = 120.0  # seconds of an open watch after which earlier failures are forgotten
UNSERVED_WAIT = 30.0  # seconds between two looks for an API that is not served
BATCH = 256  # lines between two breaths of the event loop


class Seen(NamedTuple):
    """Of what object an event told, and of what version."""

    key: Key
    version: str  # resourceVersion


class Sink(Protocol):
    """Where a stream's objects go. Called from the event loop, never concurrently; must not block."""

    def put(self, data: msgspec.Raw) -> Seen:
        """Take the object's newest state. Raises msgspec.DecodeError where it is none."""

    def drop(self, data: msgspec.Raw) -> Seen:
        """Forget an object: it was deleted; `data` is its last state. Raises msgspec.DecodeError where it is none."""

    def keep_only(self, keys: set[Key]) -> None:
        """Forget every object that a complete list did not name."""

    def served(self, yes: bool) -> None:
        """Learn that the API is served, and its objects are complete; or that it is not, and there are none."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What is watched."""

    path: str  # /apis/kubevirt.io/v1/virtualmachines
    metadata_only: bool = False
    selector: str = ""  # labelSelector

    def query(self, **more: str) -> dict[str, str]:
        """Return the query parameters of a call about these objects."""
        return ({"labelSelector": self.selector} if self.selector else {}) | more


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing is known: list. `paged` once the server has refused to stream its list."""

    paged: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything up to `version` is known: watch from there."""

    version: str
    paged: bool


State = Lost | Synced


class StreamError(Exception):
    """A step failed. `state` is how far it got: where the next one starts."""

    def __init__(self, why: str, state: State, after: float | None = None) -> None:
        super().__init__(why)
        self.state = state
        self.after = after  # the server's Retry-After, in seconds


class NotServed(StreamError):  # noqa: N818 - a state of the cluster, not a failure
    """The plain 404: the cluster has no such API."""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw = msgspec.Raw(b"null")


class _BookmarkMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the API's name
    annotations: dict[str, str] | None = None


class _Versioned(msgspec.Struct):
    metadata: _BookmarkMetadata = msgspec.field(default_factory=_BookmarkMetadata)


class _ListMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815
    more: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)
    items: list[msgspec.Raw] | None = None  # null, and not [], in an empty list of metadata (measured)


_event = msgspec.json.Decoder(_Event).decode
_versioned = msgspec.json.Decoder(_Versioned).decode
_list = msgspec.json.Decoder(_List).decode


class Watch:
    """Keeps a sink in step with the objects of one kind. `run` never ends by itself."""

    def __init__(
        self,
        stream: Stream,
        connection: Connection,
        sink: Sink,
        *,
        random: Random,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._sink = sink
        self._random = random
        self._now = now
        self._sleep = sleep
        self.failures = 0  # in a row
        self.lists = 0  # complete lists, in all
        self._flows = False  # a watch is open now

    @property
    def trouble(self) -> int:
        """How often in a row the stream has failed; 0 as soon as a watch is open again."""
        return 0 if self._flows else self.failures

    async def run(self) -> None:
        """Follow the objects until cancelled."""
        state: State = Lost()
        while True:
            since, before = self._now(), state
            try:
                state = await self.step(state)
            except NotServed as error:
                state, self.failures = error.state, 0
                self._sink.keep_only(set())
                self._sink.served(yes=False)
                await self._sleep(UNSERVED_WAIT)
            except StreamError as error:
                self.failures = 1 if self._now() - since >= HEALTHY else self.failures + 1
                state = error.state
                wait = max(full_jitter(self.failures, FIRST_WAIT, MOST_WAIT, self._random), error.after or 0.0)
                log.warning(
                    "stream broke", extra={"stream": self._stream.path, "why": str(error), "wait": round(wait, 2)}
                )
                await self._sleep(wait)
            else:
                await self._ended(self._now() - since, before)

    async def _ended(self, lasted: float, before: State) -> None:
        """Take note of a step that came to its end. A watch that ends as soon as it begins is not to spin."""
        if lasted >= HEALTHY:
            self.failures = 0
        elif isinstance(before, Synced) and lasted < SHORT:
            self.failures += 1
            await self._sleep(full_jitter(self.failures, FIRST_WAIT, MOST_WAIT, self._random))

    async def step(self, state: State) -> State:
        """List or watch once. Raises StreamError, whose state says where to go on."""
        match state:
            case Lost(paged=True):
                return await self._list_pages()
            case Lost():
                return await self._watch(state, version=None)
            case Synced(version=version):
                return await self._watch(state, version=version)

    async def _watch(self, state: State, version: str | None) -> State:
        """Read one watch to its end. Without a version it begins with the list, streamed."""
        seconds = self._random.randint(*SESSION)
        query = self._stream.query(watch="true", allowWatchBookmarks="true", timeoutSeconds=str(seconds))
        if version is None:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            query["resourceVersion"] = version
        accept = METADATA if self._stream.metadata_only else "application/json"
        reading = _Reading(self._sink, state, self._listed)
        try:
            async with self._connection.stream(self._stream.path, query, accept, SILENCE) as response:
                if response.status != 200:
                    said = Answer(
                        response.status, await response.content.read(65536), response.headers.get("Retry-After")
                    )
                    return self._refused(state, said)
                if not response.content_type.startswith("application/json"):
                    raise StreamError(f"an answer of type {response.content_type}, not JSON", state)
                self._flows = True
                async for batch in lines(response.content.iter_any()):
                    await reading.take(batch)
        except UnavailableError as error:
            raise StreamError(str(error), reading.state) from None
        except (msgspec.DecodeError, LineTooLongError, UnicodeDecodeError) as error:
            raise StreamError(f"not a watch event: {error}", reading.state) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise StreamError(of_client(error), reading.state) from None
        finally:
            self._flows = False
        if isinstance(reading.state, Lost):
            raise StreamError("the streamed list ended before it was complete", reading.state)
        return reading.state

    def _refused(self, state: State, answer: Answer) -> State:
        status = status_of(answer)
        why = status.message or f"status {answer.status}"
        if answer.status == 404 and not status.reason:
            raise NotServed(why, Lost())
        if answer.status == 410:
            raise StreamError(why, Lost())
        if answer.status in {400, 422} and isinstance(state, Lost):
            log.info("the server streams no lists; reading them in pages", extra={"stream": self._stream.path})
            return Lost(paged=True)
        raise StreamError(why, state, status.retry_after)

    def _listed(self) -> None:
        self.lists += 1
        self._sink.served(yes=True)

    async def _list_pages(self) -> State:
        lost = Lost(paged=True)
        seen: set[Key] = set()
        accept = METADATA_LIST if self._stream.metadata_only else "application/json"
        more, version = "", ""
        while True:
            query = self._stream.query(limit=str(PAGE)) | ({"continue": more} if more else {})
            try:
                answer = await self._connection.call("GET", self._stream.path, query=query, headers={"Accept": accept})
            except UnavailableError as error:
                raise StreamError(str(error), lost) from None
            if not answer.ok:
                status = status_of(answer)
                if answer.status == 404 and not status.reason:
                    raise NotServed(status.message or "status 404", Lost())
                raise StreamError(status.message or f"status {answer.status}", lost, status.retry_after)
            try:
                try:
                    page = self._page(answer.body, seen)
                except RecursionError:
                    page = self._page(shallow(answer.body), seen)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StreamError(f"not a list: {error}", lost) from None
            version, more = version or page.metadata.resourceVersion, page.metadata.more
            if not more:
                break
        if not version:
            raise StreamError("a list without a version", lost)
        self._sink.keep_only(seen)
        self._listed()
        return Synced(version, paged=True)

    def _page(self, body: bytes, seen: set[Key]) -> _List:
        page = _list(body)
        seen.update(self._sink.put(item).key for item in page.items or ())
        return page


class _Reading:
    """One watch being read: its events go to the sink, and `state` says how far it got."""

    def __init__(self, sink: Sink, state: State, listed: Callable[[], None]) -> None:
        self.state = state
        self._listed = listed
        self._sink = sink
        self._seen: set[Key] = set()  # while the list is streamed: what it has named

    async def take(self, batch: list[bytes]) -> None:
        """Take whole lines, with a breath for the event loop now and then."""
        for place, line in enumerate(batch, start=1):
            if line:
                try:
                    self._line(line)
                except RecursionError:  # of the decoder: nothing is done yet
                    self._line(shallow(line))
            if place % BATCH == 0:
                await asyncio.sleep(0)

    def _line(self, line: bytes) -> None:
        event = _event(line)
        match event.type:
            case "ADDED" | "MODIFIED":
                self._advance(self._sink.put(event.object))
            case "DELETED":
                self._advance(self._sink.drop(event.object))
            case "BOOKMARK":
                self._bookmark(_versioned(event.object).metadata)
            case "ERROR":
                self._error(event.object)
            case _:
                log.warning("unknown watch event", extra={"type": event.type[:40]})

    def _advance(self, seen: Seen) -> None:
        if isinstance(self.state, Synced):
            self.state = Synced(seen.version, self.state.paged)
        else:
            self._seen.add(seen.key)

    def _bookmark(self, metadata: _BookmarkMetadata) -> None:
        if isinstance(self.state, Synced):
            self.state = Synced(metadata.resourceVersion, self.state.paged)
        elif (metadata.annotations or {}).get("k8s.io/initial-events-end") == "true":
            self._sink.keep_only(self._seen)
            self._seen = set()
            self.state = Synced(metadata.resourceVersion, paged=False)
            self._listed()

    def _error(self, data: msgspec.Raw) -> None:
        status = status_of(Answer(200, bytes(data)))
        code = _code(data)
        paged = self.state.paged
        raise StreamError(
            status.message or f"an ERROR event with code {code}",
            Lost(paged) if code == 410 else self.state,
            status.retry_after,
        )


class _Coded(msgspec.Struct):
    code: int = 0


def _code(data: msgspec.Raw) -> int:
    try:
        return msgspec.json.decode(data, type=_Coded).code
    except msgspec.DecodeError:
        return 0
