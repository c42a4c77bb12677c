"""In-memory stores that a reflector fills: requests, VMs, templates."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from atmpl.controller.cluster import StreamState
from atmpl.controller.objects import ObjectKey


class ObjectVersion(NamedTuple):
    """The object of an event and its version."""

    key: ObjectKey | None  # None: the store does not keep this object
    version: str  # resourceVersion


StoreT = TypeVar("StoreT")


def of_namespace(stores: Mapping[str, StoreT], namespace: str) -> StoreT | None:
    """Return the store of a namespace: its own, else that of the whole cluster, which has the key ``""``."""
    return stores[namespace] if namespace in stores else stores.get("")


class Store(ABC):
    """The last known objects of one stream. Called from the event loop, never concurrently; must not block."""

    def __init__(self, on_synced: Callable[[], None] = lambda: None) -> None:
        """Create an empty store. `on_synced` is called when its objects are first known, and when the API appears."""
        self._on_synced = on_synced
        self.is_served: bool | None = None  # None until the first list is complete or the API is known to be absent
        self.synced = asyncio.Event()  # set once `is_served` is not None; never cleared
        self.is_watched = False  # a watch is open now

    @property
    def state(self) -> StreamState:
        """The state of the stream that fills this store."""
        if self.is_served is None:
            return StreamState.SYNCING
        if not self.is_served:
            return StreamState.NOT_SERVED
        return StreamState.WATCHING if self.is_watched else StreamState.INTERRUPTED

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of objects."""

    def begin_list(self) -> None:  # noqa: B027 - most stores need not know
        """Prepare for a list: `upsert` follows for each of its objects, and `retain_only` at its end."""

    @abstractmethod
    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Add or update an object.

        Raises:
            msgspec.DecodeError: `data` is not such an object.
        """

    @abstractmethod
    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Delete an object; `data` is its last state.

        Raises:
            msgspec.DecodeError: `data` is not such an object.
        """

    @abstractmethod
    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Delete every object that a complete list did not contain."""

    def mark_synced(self, *, served: bool) -> None:
        """Record that the list is complete or, if not `served`, that the API does not exist and has no objects."""
        before, self.is_served = self.is_served, served
        self.synced.set()
        if before is None or (served and not before):
            self._on_synced()
