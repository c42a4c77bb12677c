"""In-memory stores that a reflector fills: requests, VMs, templates."""

import asyncio
from abc import ABC, abstractmethod
from typing import NamedTuple

import msgspec

from atmpl.controller.objects import ObjectKey


class ObjectVersion(NamedTuple):
    """The object of an event and its version."""

    key: ObjectKey
    version: str  # resourceVersion


class Store(ABC):
    """The last known objects of one stream. Called from the event loop, never concurrently; must not block."""

    def __init__(self) -> None:
        self.is_served: bool | None = None  # None until the first list is complete or the API is known to be absent
        self.synced = asyncio.Event()  # set once `is_served` is not None; never cleared

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of objects."""

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
        self.is_served = served
        self.synced.set()
