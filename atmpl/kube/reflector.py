"""One stream of objects of one kind: listed, then watched, for as long as the process lives.

    Lost ──list──> Synced ──watch──> Synced(newer) ──410──> Lost
      │               │
      └── NotServed   ├── what cannot be read, twice at the same place: Lost
                      └── any other failure: the same version again, after a while

A state is all that a `step` needs, and a step ends in the next state; between two steps nothing else is remembered.
Whatever happens, the sink hears of each object's last state and of each object that vanished, also of those that did so
while nobody was listening: after a list, what it did not name is gone. Design section 3.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import assert_never

import aiohttp

from atmpl.controller.cluster import UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.kube.backoff import full_jitter
from atmpl.kube.client import (
    METADATA,
    METADATA_LIST,
    KubeClient,
    LineTooLongError,
    ResponseTooLargeError,
    gather,
    iter_lines,
)
from atmpl.kube.redaction import describe_client_error
from atmpl.kube.response import Response, Status, status_from
from atmpl.kube.stores import Store
from atmpl.kube.watch_events import (
    InvalidResponseError,
    NeedsList,
    NotServed,
    State,
    StreamError,
    Synced,
    WatchDecoder,
    WatchTarget,
    after_refusal,
    read_page,
)

log = logging.getLogger(__name__)

# Seconds without a line before a peer counts as dead. Bookmarks come once a minute where etcd reports its progress
# (--watch-progress-notify-interval, 5 s by kubeadm); elsewhere a quiet stream's first may take two, and it is reopened.
SILENCE = 70.0
SESSION = (300, 600)  # seconds: a watch's timeoutSeconds is drawn from here, so that they do not all end at once
MANY = 100  # lines that come together without being waited for
PAGE = 500  # objects a page of a list; fewer where they are too large to be taken together
FIRST_WAIT, MOST_WAIT = 0.8, 30.0  # seconds of backoff
SHORT = 1.0  # seconds: a watch that ends sooner has not done its work
HEALTHY = 120.0  # seconds of an open watch after which earlier failures are forgotten
UNSERVED_WAIT = 30.0  # seconds between two looks for an API that is not served
BROKE, NOT_SERVED = "stream broke", "not served by this cluster"  # what is logged of a stream that is not open


class Reflector:
    """Keeps a sink in step with the objects of one kind. `run` never ends by itself."""

    def __init__(
        self,
        stream: WatchTarget,
        connection: KubeClient,
        sink: Store,
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
        self._absent = ""  # why there was none, as it was logged last; nothing since one is open again

    @property
    def consecutive_failures(self) -> int:
        """How often in a row the stream has failed; 0 as soon as a watch is open again."""
        return 0 if self._flows else self.failures

    async def run(self) -> None:
        """Follow the objects until cancelled."""
        state: State = NeedsList()
        while True:
            since, before = self._now(), state
            try:
                state = await self.step(state)
            except NotServed as error:
                state, self.failures = error.state, 0
                if self._absent != NOT_SERVED:
                    log.info(NOT_SERVED, extra={"stream": self._stream.path, "why": str(error), "wait": UNSERVED_WAIT})
                    self._absent = NOT_SERVED
                self._sink.retain_only(set())
                self._sink.mark_synced(served=False)
                await self._sleep(UNSERVED_WAIT)
            except StreamError as error:
                self.failures = 1 if self._now() - since >= HEALTHY else self.failures + 1
                state = error.state
                wait = max(full_jitter(self.failures, FIRST_WAIT, MOST_WAIT, self._random), error.after or 0.0)
                log.warning(BROKE, extra={"stream": self._stream.path, "why": str(error), "wait": round(wait, 2)})
                self._absent = BROKE
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
            case NeedsList(paged=True):
                return await self._list_pages()
            case NeedsList():
                return await self._watch(state, sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
            case Synced(version=version):
                return await self._watch(state, resourceVersion=version)
            case _:
                assert_never(state)

    async def _watch(self, state: State, **begin: str) -> State:
        """Read one watch to its end; `begin` says in the query where it begins."""
        seconds = self._random.randint(*SESSION)
        query = self._stream.query(watch="true", allowWatchBookmarks="true", timeoutSeconds=str(seconds), **begin)
        accept = METADATA if self._stream.metadata_only else "application/json"
        reading = WatchDecoder(self._sink, state, self._listed)
        try:
            async with self._connection.stream(self._stream.path, query, accept, SILENCE) as response:
                if response.status != 200:
                    said = await response.content.read(65536)
                    return self._refused(state, Response(response.status, said, response.headers.get("Retry-After")))
                if not response.content_type.startswith("application/json"):
                    raise StreamError(f"an answer of type {response.content_type}, not JSON", state)
                self._opened()
                async for batch in iter_lines(response.content.iter_any()):
                    await reading.take(batch)
                    # A VM's or a template's news may come 10 ms late, a request's not; many lines are together already.
                    if self._stream.metadata_only and len(batch) < MANY:
                        await gather(response)
        except UnavailableError as error:
            raise StreamError(str(error), reading.state) from None
        except (InvalidResponseError, LineTooLongError) as error:
            raise StreamError(str(error), _doubted(reading.state, state)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise StreamError(describe_client_error(error), reading.state) from None
        finally:
            self._flows = False
        if isinstance(reading.state, NeedsList):
            raise StreamError("the streamed list ended before it was complete", NeedsList(paged=True))
        return reading.state

    def _opened(self) -> None:
        """Take note that a watch is open; whoever reads of its absence is told."""
        self._flows = True
        if self._absent:
            log.info("stream is back", extra={"stream": self._stream.path})
            self._absent = ""

    def _refused(self, state: State, answer: Response) -> State:
        status, why = _read_refusal(answer)
        if answer.status in {400, 422}:
            if isinstance(state, NeedsList):
                log.info("the server streams no lists; reading them in pages", extra={"stream": self._stream.path})
                return NeedsList(paged=True)
            raise StreamError(why, NeedsList())  # it cannot make anything of our version
        raise StreamError(why, after_refusal(state, answer.status, status.causes), status.retry_after)

    async def _list_pages(self) -> State:
        lost, seen = NeedsList(paged=True), set[ObjectKey]()
        accept = METADATA_LIST if self._stream.metadata_only else "application/json"
        size, version = PAGE, ""
        query = self._stream.query()
        while True:
            query["limit"] = str(size)
            try:
                answer = await self._connection.call("GET", self._stream.path, query=query, headers={"Accept": accept})
            except (
                ResponseTooLargeError
            ) as error:  # whoever may write requests may write large ones: all others are listed too
                if size == 1:
                    raise StreamError(str(error), lost) from None
                size //= 2
                continue
            except UnavailableError as error:
                raise StreamError(str(error), lost) from None
            if not answer.ok:
                status, why = _read_refusal(answer)
                raise StreamError(why, lost, status.retry_after)
            try:
                first, more = read_page(answer.body, self._sink, seen)
            except InvalidResponseError as error:
                raise StreamError(str(error), lost) from None
            version = version or first
            if not more:
                break
            query["continue"] = more
        self._sink.retain_only(seen)
        self._listed()
        return Synced(version)

    def _listed(self) -> None:
        self.lists += 1
        self._sink.mark_synced(served=True)


def _read_refusal(answer: Response) -> tuple[Status, str]:
    """Return what the server said, and that in words. Raises NotServed where it has no such API."""
    status = status_from(answer)
    why = status.message or f"status {answer.status}"
    if answer.status == 404:
        raise NotServed(why, NeedsList())
    return status, why


def _doubted(state: State, before: State) -> State:
    """Return where to go on when what follows `state` could not be read: once more from there, then from a new list."""
    if isinstance(state, NeedsList) or (state == before and state.doubted):
        return NeedsList()
    return Synced(state.version, doubted=True)
