"""Decode the lines of a watch and the pages of a list: objects go to the store, a state records the progress.

Anything that is not an event or a list is an InvalidResponseError. An object of a *list* that cannot be decoded is
skipped and logged: one bad object must not keep all others from being listed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from atmpl.controller.objects import ObjectKey, is_older_version
from atmpl.kube.response import Response, parse_status, prune_deep_json
from atmpl.kube.stores import ObjectVersion, Store

log = logging.getLogger(__name__)

BATCH_LINES = 256  # decoded before the event loop runs other tasks
END_OF_LIST = "k8s.io/initial-events-end"  # the annotation of the bookmark that ends a streamed list


@dataclass(frozen=True, slots=True)
class WatchTarget:
    """The objects that are watched."""

    path: str  # /apis/kubevirt.io/v1/virtualmachines
    metadata_only: bool = False
    selector: str = ""  # labelSelector
    fields: str = ""  # fieldSelector

    def query(self, **more: str) -> dict[str, str]:
        """Return the query parameters of a call about these objects."""
        selectors = {"labelSelector": self.selector, "fieldSelector": self.fields}
        return {name: value for name, value in selectors.items() if value} | more


@dataclass(frozen=True, slots=True)
class NeedsList:
    """Nothing is known: list next. `paged`: the last attempt to stream the list failed."""

    paged: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything up to `version` is known: watch from there. `unreadable_once`: what follows could not be decoded."""

    version: str
    unreadable_once: bool = False


State = NeedsList | Synced


class StreamError(Exception):
    """A step failed. `state` is where the next one starts."""

    def __init__(self, why: str, state: State, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(why)
        self.state = state
        self.retry_after = retry_after  # seconds, from the server
        self.status = status  # HTTP status of an error response, otherwise 0


class NotServed(StreamError):  # noqa: N818 - a state of the cluster, not a failure
    """The cluster does not serve this API."""


class InvalidResponseError(ValueError):
    """The response does not come from an API server, or it was damaged on its way."""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw = msgspec.Raw(b"null")


class _BookmarkMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the API's name
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMetadata = msgspec.field(default_factory=_BookmarkMetadata)


class _ListMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the API's name
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

_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError)  # also RecursionError, see prune_deep_json


class WatchDecoder:
    """Decodes one watch; `state` is its progress."""

    def __init__(self, store: Store, state: State, listed: Callable[[], None]) -> None:
        self.state = state
        self._store = store
        self._listed = listed  # called when a streamed list is complete
        self._keys: set[ObjectKey] = set()  # during a streamed list: the objects so far
        self._warned_unknown_type = False

    async def take(self, batch: list[bytes]) -> None:
        """Decode complete lines; other tasks run after every BATCH_LINES lines.

        Raises:
            InvalidResponseError: a line is not a watch event.
            StreamError: the server reported an error.
        """
        for number, line in enumerate(batch, start=1):
            if line:
                try:
                    self._decode_with_depth_fallback(line)
                except (InvalidResponseError, StreamError):
                    raise
                except _DECODE_ERRORS as error:
                    raise InvalidResponseError(f"not a watch event: {error}") from None
                except Exception as error:  # a bug of ours with one object must not end the stream
                    log.exception("event failed")
                    raise InvalidResponseError(f"an event that cannot be stored ({type(error).__name__})") from None
            if number % BATCH_LINES == 0:
                await asyncio.sleep(0)

    def _decode_with_depth_fallback(self, line: bytes) -> None:
        try:
            self._decode(line)
        except RecursionError:  # of the decoder: nothing is stored yet
            self._decode(prune_deep_json(line))

    def _decode(self, line: bytes) -> None:
        event = _event(line)
        match event.type, self.state:
            case "ADDED" | "MODIFIED", NeedsList():
                if (stored := _store_listed(self._store, event.object)) and stored.key:
                    self._keys.add(stored.key)
            case "ADDED" | "MODIFIED", Synced():
                self._advance(self._store.upsert(event.object).version)
            case "DELETED", NeedsList():
                self._store.delete(event.object)
            case "DELETED", Synced():
                self._advance(self._store.delete(event.object).version)
            case "BOOKMARK", state:
                self._on_bookmark(_bookmark(event.object).metadata, state)
            case "ERROR", state:
                raise _error(event.object, state)
            case _ if not self._warned_unknown_type:
                self._warned_unknown_type = True
                log.warning("unknown watch event", extra={"type": event.type[:40]})

    def _advance(self, version: str) -> None:
        if not version:
            raise InvalidResponseError("an event without a version")
        self.state = Synced(version)

    def _on_bookmark(self, metadata: _BookmarkMetadata, state: State) -> None:
        version = metadata.resourceVersion
        if isinstance(state, Synced):
            if is_older_version(version, state.version):
                # etcd was restored to an older state. A watch from our version would stay silent for a long time.
                raise StreamError(f"the server's versions went back from {state.version} to {version}", NeedsList())
            self._advance(version)
        elif (metadata.annotations or {}).get(END_OF_LIST) == "true":
            self._advance(version)
            self._store.retain_only(self._keys)
            self._keys = set()
            self._listed()
        else:
            raise StreamError("a bookmark before the end of the list: WatchList not supported", NeedsList(paged=True))


def read_page(body: bytes, store: Store, keys: set[ObjectKey]) -> tuple[str, str]:
    """Decode a page of a list: its objects go to `store`, their keys are added to `keys`.

    Return the list's version, and the token of the next page, empty at the end.

    Raises:
        InvalidResponseError: the body is not a list.
    """
    try:
        return _page(body, store, keys)
    except RecursionError:  # of the page's decoder or of an object's; storing an object twice changes nothing
        return _page(prune_deep_json(body), store, keys)


def _page(body: bytes, store: Store, keys: set[ObjectKey]) -> tuple[str, str]:
    try:
        page = _list(body)
    except _DECODE_ERRORS as error:
        raise InvalidResponseError(f"not a list: {error}") from None
    if not page.metadata.resourceVersion:
        raise InvalidResponseError("a list without a version")
    for item in page.items or ():
        if (stored := _store_listed(store, item)) and stored.key:
            keys.add(stored.key)
    return page.metadata.resourceVersion, page.metadata.more


def _store_listed(store: Store, data: msgspec.Raw) -> ObjectVersion | None:
    try:
        try:
            return store.upsert(data)
        except RecursionError:  # of the decoder: nothing is stored yet
            return store.upsert(msgspec.Raw(prune_deep_json(bytes(data))))
    except _DECODE_ERRORS as error:
        log.error("object skipped: it cannot be decoded", extra={"why": str(error)})  # noqa: TRY400 - no traceback
    except Exception:  # a bug of ours with one object must not keep all others from being listed
        log.exception("object skipped: it cannot be stored")
    return None


def _error(data: msgspec.Raw, state: State) -> StreamError:
    """Return what an ERROR event means; its object is a Status."""
    try:
        code = _coded(data).code
    except msgspec.DecodeError:
        code = 0
    status = parse_status(Response(code, bytes(data)))
    return StreamError(
        f"ERROR event: {status.description}", state_after_error(state, code, status.causes), status.retry_after
    )


def state_after_error(state: State, code: int, causes: tuple[str, ...]) -> State:
    """Return where to continue after an error: at `state`, or with a new list if its version is of no use."""
    return NeedsList() if code == 410 or "ResourceVersionTooLarge" in causes else state
