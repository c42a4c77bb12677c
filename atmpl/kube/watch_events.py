"""The lines of a watch and the pages of a list, read: they go to the sink, and a state says how far it got.

What is no event and no list is GarbageError. An object that a *list* holds and that cannot be read is left out, with a
line in the log: one bad object is not to keep all others from being listed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from atmpl.controller.objects import ObjectKey
from atmpl.controller.version import is_older_version
from atmpl.kube.response import Response, prune_deep_json, status_from
from atmpl.kube.stores import ObjectVersion, Store

log = logging.getLogger(__name__)

BATCH = 256  # lines between two breaths of the event loop
END_OF_LIST = "k8s.io/initial-events-end"  # the annotation of the bookmark that ends a streamed list


@dataclass(frozen=True, slots=True)
class WatchTarget:
    """What is watched."""

    path: str  # /apis/kubevirt.io/v1/virtualmachines
    metadata_only: bool = False
    selector: str = ""  # labelSelector

    def query(self, **more: str) -> dict[str, str]:
        """Return the query parameters of a call about these objects."""
        return ({"labelSelector": self.selector} if self.selector else {}) | more


@dataclass(frozen=True, slots=True)
class NeedsList:
    """Nothing is known: list. `paged` where the last try to have the list streamed came to nothing."""

    paged: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything up to `version` is known: watch from there. `doubted` once what follows could not be read."""

    version: str
    doubted: bool = False


State = NeedsList | Synced


class StreamError(Exception):
    """A step failed. `state` is how far it got: where the next one starts."""

    def __init__(self, why: str, state: State, after: float | None = None) -> None:
        super().__init__(why)
        self.state = state
        self.after = after  # the server's Retry-After, in seconds


class NotServed(StreamError):  # noqa: N818 - a state of the cluster, not a failure
    """The cluster has no such API."""


class InvalidResponseError(ValueError):
    """Something else than an API server answered, or its words were mangled on their way."""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw = msgspec.Raw(b"null")


class _BookmarkMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the API's name
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMetadata = msgspec.field(default_factory=_BookmarkMetadata)


class _ListMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815
    more: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)
    items: list[msgspec.Raw] | None = None  # null, and not [], in an empty list of metadata (measured)


class _Coded(msgspec.Struct):
    code: int = 0


_event = msgspec.json.Decoder(_Event).decode
_bookmark = msgspec.json.Decoder(_Bookmark).decode
_list = msgspec.json.Decoder(_List).decode
_coded = msgspec.json.Decoder(_Coded).decode

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # what a decoder raises; also RecursionError, see depth.py


class WatchDecoder:
    """One watch being read; `state` says how far it got."""

    def __init__(self, sink: Store, state: State, listed: Callable[[], None]) -> None:
        self.state = state
        self._sink = sink
        self._listed = listed  # told when a streamed list is complete
        self._seen: set[ObjectKey] = set()  # while the list is streamed: what it has named
        self._puzzled = False  # an event of a kind that nobody knows has come

    async def take(self, batch: list[bytes]) -> None:
        """Take whole lines, with a breath for the event loop now and then. Raises GarbageError, StreamError."""
        for place, line in enumerate(batch, start=1):
            if line:
                try:
                    self._either_way(line)
                except (InvalidResponseError, StreamError):
                    raise
                except _UNREADABLE as error:
                    raise InvalidResponseError(f"not a watch event: {error}") from None
                except Exception as error:  # a bug of ours in one object's way is not to take all others' stream
                    log.exception("an event cannot be taken")
                    raise InvalidResponseError(f"an event that cannot be taken ({type(error).__name__})") from None
            if place % BATCH == 0:
                await asyncio.sleep(0)

    def _either_way(self, line: bytes) -> None:
        try:
            self._line(line)
        except RecursionError:  # of the decoder: nothing is done yet
            self._line(prune_deep_json(line))

    def _line(self, line: bytes) -> None:
        event = _event(line)
        match event.type, self.state:
            case "ADDED" | "MODIFIED", NeedsList():
                if seen := _listed_object(self._sink, event.object):
                    self._seen.add(seen.key)
            case "ADDED" | "MODIFIED", Synced():
                self._advance(self._sink.upsert(event.object).version)
            case "DELETED", NeedsList():
                self._sink.delete(event.object)
            case "DELETED", Synced():
                self._advance(self._sink.delete(event.object).version)
            case "BOOKMARK", state:
                self._mark(_bookmark(event.object).metadata, state)
            case "ERROR", state:
                raise _error(event.object, state)
            case _ if not self._puzzled:
                self._puzzled = True
                log.warning("unknown watch event", extra={"type": event.type[:40]})

    def _advance(self, version: str) -> None:
        if not version:
            raise InvalidResponseError("an event without a version")
        self.state = Synced(version)

    def _mark(self, metadata: _BookmarkMetadata, state: State) -> None:
        version = metadata.resourceVersion
        if isinstance(state, Synced):
            if is_older_version(version, state.version):
                # etcd was put back to an older state: it would be long until our version comes, in silence.
                raise StreamError(f"the server's versions go back from {state.version} to {version}", NeedsList())
            self._advance(version)
        elif (metadata.annotations or {}).get(END_OF_LIST) == "true":
            self._advance(version)
            self._sink.retain_only(self._seen)
            self._seen = set()
            self._listed()
        else:
            raise StreamError("a bookmark before the end of the list: the server streams none", NeedsList(paged=True))


def read_page(body: bytes, sink: Store, seen: set[ObjectKey]) -> tuple[str, str]:
    """Take a page of a list: its objects go to `sink`, and their keys to `seen`.

    Return the list's version, and the token of the next page, empty at the end. Raises GarbageError.
    """
    try:
        return _page(body, sink, seen)
    except RecursionError:  # of the page's decoder or of an object's; what of it is taken already is no news then
        return _page(prune_deep_json(body), sink, seen)


def _page(body: bytes, sink: Store, seen: set[ObjectKey]) -> tuple[str, str]:
    try:
        page = _list(body)
    except _UNREADABLE as error:
        raise InvalidResponseError(f"not a list: {error}") from None
    if not page.metadata.resourceVersion:
        raise InvalidResponseError("a list without a version")
    seen.update(found.key for item in page.items or () if (found := _listed_object(sink, item)))
    return page.metadata.resourceVersion, page.metadata.more


def _listed_object(sink: Store, data: msgspec.Raw) -> ObjectVersion | None:
    try:
        try:
            return sink.upsert(data)
        except RecursionError:  # of the decoder: nothing is done yet
            return sink.upsert(msgspec.Raw(prune_deep_json(bytes(data))))
    except _UNREADABLE as error:
        log.error("an object cannot be read: it is left out", extra={"why": str(error)})  # noqa: TRY400
    except Exception:  # a bug of ours in one object's way is not to keep all others from being listed
        log.exception("an object cannot be taken: it is left out")
    return None


def _error(data: msgspec.Raw, state: State) -> StreamError:
    """Return what an ERROR event means; its object is a Status."""
    try:
        code = _coded(data).code
    except msgspec.DecodeError:
        code = 0
    status = status_from(Response(code, bytes(data)))
    why = status.message or f"an ERROR event with code {code}"
    return StreamError(why, after_refusal(state, code, status.causes), status.retry_after)


def after_refusal(state: State, code: int, causes: tuple[str, ...]) -> State:
    """Return where to go on when the server has refused to go on from `state`: there, or from a new list."""
    return NeedsList() if code == 410 or "ResourceVersionTooLarge" in causes else state
