"""A reflector: lists the objects of one kind into a store, then watches them, for as long as the process lives.

    NeedsList ──list──> Synced ──watch──> Synced(newer) ──410──> NeedsList
        │                 │
        └── NotServed     ├── events that cannot be decoded, twice at the same version: NeedsList
                          └── any other failure: the same version again, after a backoff

A list is a WatchList (`sendInitialEvents`); if the server does not support it, the list is read in pages.
A `step` depends only on the state, and ends in the next state. The store receives the last state of each object and
each deletion, also of objects that were deleted while no watch was open: a list removes what it does not contain.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, assert_never

import aiohttp

from atmpl.controller.cluster import UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.kube.backoff import full_jitter
from atmpl.kube.client import METADATA, METADATA_LIST, KubeClient, LineTooLongError, ResponseTooLargeError, iter_lines
from atmpl.kube.failure_log import FailureLog
from atmpl.kube.redaction import describe_client_error
from atmpl.kube.response import Response, Status, parse_status
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
    read_page,
    state_after_error,
)

log = logging.getLogger(__name__)

# Without a line for so long, the peer counts as dead. Bookmarks arrive once a minute if etcd reports its progress
# (--watch-progress-notify-interval, 5 s with kubeadm); otherwise the first one can take two minutes, so the read
# times out and the watch restarts.
READ_TIMEOUT_SECONDS: Final = 70.0
WATCH_SECONDS: Final = (300, 600)  # timeoutSeconds is drawn from this range, so that watches do not all end at once
PAGE_OBJECTS: Final = 500  # per page of a list; fewer if they are too large for one response
BACKOFF_SECONDS = (0.8, 30.0)  # first and maximum
MIN_WATCH_SECONDS: Final = 1.0  # a watch that ends sooner counts as a failure
FAILURE_RESET_SECONDS: Final = 120.0  # a watch that was open for so long resets the failures before it
NOT_SERVED_RECHECK_SECONDS = 30.0
INITIAL: Final = NeedsList()
MAX_ERROR_BYTES: Final = 65_536  # of an error response that are read


class Reflector:
    """Keeps a store up to date with the objects of one kind. `run` does not return."""

    def __init__(
        self,
        target: WatchTarget,
        client: KubeClient,
        store: Store,
        *,
        random: Random,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        alternatives: Sequence[WatchTarget] = (),
        on_alternative: Callable[[WatchTarget], None] = lambda _: None,
    ) -> None:
        """Create it. `alternatives` are the same objects in other versions of the API.

        If a version is not served, the next one is tried; `on_alternative` is called with it.
        """
        self._targets = [target, *alternatives]
        self._target = target
        self._on_alternative = on_alternative
        self._not_served = 0  # targets in a row that are not served
        self._client = client
        self._store = store
        self._random = random
        self._now = now
        self._sleep = sleep
        self.failures = 0  # in a row
        self.failures_total = 0
        self.lists = 0  # complete lists since the start
        self._failure_log = FailureLog(log, "watch", now=now)
        self._logged_not_served = False

    @property
    def consecutive_failures(self) -> int:
        """How often in a row the stream has failed; 0 while a watch is open."""
        return 0 if self._store.is_watched else self.failures

    async def run(self, state: State = INITIAL, *, is_fatal: Callable[[StreamError], bool] = lambda _: False) -> None:
        """Follow the objects from `state` until cancelled. Raises the StreamError for which `is_fatal` is True."""
        while True:
            began, before = self._now(), state
            try:
                state = await self.step(state)
            except NotServed as error:
                if is_fatal(error):
                    raise
                state, self.failures = error.state, 0
                if self._try_next_target():
                    continue
                if not self._logged_not_served:
                    log.info("API not served", extra=self._fields(error, NOT_SERVED_RECHECK_SECONDS))
                    self._logged_not_served = True
                self._store.retain_only(set())
                self._store.mark_synced(served=False)
                await self._sleep(NOT_SERVED_RECHECK_SECONDS)
            except StreamError as error:
                if is_fatal(error):
                    raise
                self.failures = 1 if self._now() - began >= FAILURE_RESET_SECONDS else self.failures + 1
                self.failures_total += 1
                state = error.state
                wait = max(full_jitter(self.failures, *BACKOFF_SECONDS, self._random), error.retry_after or 0.0)
                self._failure_log.failed(self._fields(error, wait))
                await self._sleep(wait)
            else:
                self._not_served = 0
                await self._on_end(self._now() - began, before)

    def _try_next_target(self) -> bool:
        """Use the next version of the API; return False if none is served."""
        self._not_served += 1
        if len(self._targets) > 1:
            self._target = self._targets[(self._targets.index(self._target) + 1) % len(self._targets)]
            self._on_alternative(self._target)
        if self._not_served < len(self._targets):
            return True
        self._not_served = 0
        return False

    def _fields(self, error: StreamError, wait: float) -> dict[str, object]:
        return {"stream": self._target.path, "why": str(error), "wait": round(wait, 2)}

    async def _on_end(self, lasted: float, before: State) -> None:
        """Count a watch that ended at once as a failure, and wait: otherwise this would be a busy loop."""
        if lasted >= FAILURE_RESET_SECONDS:
            self.failures = 0
        elif isinstance(before, Synced) and lasted < MIN_WATCH_SECONDS:
            self.failures += 1
            self.failures_total += 1
            await self._sleep(full_jitter(self.failures, *BACKOFF_SECONDS, self._random))

    async def step(self, state: State) -> State:
        """List or watch once and return the next state.

        Raises:
            StreamError: the step failed; its state is the next one.
        """
        match state:
            case NeedsList(paged=True):
                self._store.begin_list()
                return await self._list_pages()
            case NeedsList():
                self._store.begin_list()
                return await self._watch(state, sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
            case Synced(version=version):
                return await self._watch(state, resourceVersion=version)
            case _:
                assert_never(state)

    async def _watch(self, state: State, **start: str) -> State:
        """Read one watch to its end; `start` are the query parameters for its beginning."""
        seconds = self._random.randint(*WATCH_SECONDS)
        query = self._target.query(watch="true", allowWatchBookmarks="true", timeoutSeconds=str(seconds), **start)
        accept = METADATA if self._target.metadata_only else "application/json"
        decoder = WatchDecoder(self._store, state, self._listed)
        try:
            async with self._client.stream(self._target.path, query, accept, READ_TIMEOUT_SECONDS) as reply:
                if reply.status != 200:
                    body = await reply.content.read(MAX_ERROR_BYTES)
                    response = Response(reply.status, body, reply.headers.get("Retry-After"), self._target.path)
                    return self._state_after(state, response)
                if not reply.content_type.startswith("application/json"):
                    raise StreamError(f"a response of type {reply.content_type}, not JSON", state)
                self._opened()
                async for batch in iter_lines(reply.content.iter_any()):
                    await decoder.take(batch)
        except UnavailableError as error:
            raise StreamError(str(error), decoder.state) from None
        except (InvalidResponseError, LineTooLongError) as error:
            raise StreamError(str(error), _after_unreadable(decoder.state, state)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise StreamError(describe_client_error(error), decoder.state) from None
        finally:
            self._store.is_watched = False
        if isinstance(decoder.state, NeedsList):
            raise StreamError("the streamed list ended before it was complete", NeedsList(paged=True))
        return decoder.state

    def _opened(self) -> None:
        """Mark the watch as open. If a failure was logged, log the recovery."""
        self._store.is_watched = True
        if self._logged_not_served:
            log.info("API served", extra={"stream": self._target.path})
            self._logged_not_served = False
        self._failure_log.recovered({"stream": self._target.path})

    def _state_after(self, state: State, response: Response) -> State:
        status = _parse_error(response)
        if response.status in {400, 422}:
            if isinstance(state, NeedsList):
                log.info("WatchList not supported, falling back to paged lists", extra={"stream": self._target.path})
                return NeedsList(paged=True)
            raise StreamError(status.description, NeedsList())  # the server cannot parse our version
        after = state_after_error(state, response.status, status.causes)
        raise StreamError(status.description, after, status.retry_after, response.status)

    async def _list_pages(self) -> State:
        state, keys = NeedsList(paged=True), set[ObjectKey]()
        accept = METADATA_LIST if self._target.metadata_only else "application/json"
        size, version = PAGE_OBJECTS, ""
        query = self._target.query()
        while True:
            query["limit"] = str(size)
            try:
                response = await self._client.call("GET", self._target.path, query=query, headers={"Accept": accept})
            except ResponseTooLargeError as error:  # any user who may create requests can create large ones
                if size == 1:
                    raise StreamError(str(error), state) from None
                size //= 2
                continue
            except UnavailableError as error:
                raise StreamError(str(error), state) from None
            if not response.ok:
                status = _parse_error(response)
                raise StreamError(status.description, state, status.retry_after, response.status)
            try:
                page_version, more = read_page(response.body, self._store, keys)
            except InvalidResponseError as error:
                raise StreamError(str(error), state) from None
            version = version or page_version
            if not more:
                break
            query["continue"] = more
        self._store.retain_only(keys)
        self._listed()
        return Synced(version)

    def _listed(self) -> None:
        self.lists += 1
        self._store.mark_synced(served=True)


def _parse_error(response: Response) -> Status:
    """Return the Status of an error response.

    Raises:
        NotServed: the cluster has no such API.
    """
    status = parse_status(response)
    if response.status == 404:
        raise NotServed(status.description, NeedsList(), status=response.status)
    return status


def _after_unreadable(state: State, before: State) -> State:
    """Return where to continue if an event cannot be decoded: at `state` once more, then with a new list."""
    if isinstance(state, NeedsList) or (state == before and state.unreadable_once):
        return NeedsList()
    return Synced(state.version, unreadable_once=True)
