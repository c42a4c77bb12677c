"""What a stream is: its objects, where they go, and how far it has come. watch.py follows it."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from atmpl.controller.objects import ObjectKey


class ObjectVersion(NamedTuple):
    """Of what object an event told, and of what version."""

    key: ObjectKey
    version: str  # resourceVersion


class Store(Protocol):
    """Where a stream's objects go. Called from the event loop, never concurrently; must not block."""

    def put(self, data: msgspec.Raw) -> ObjectVersion:
        """Take the object's newest state. Raises msgspec.DecodeError where it is none."""

    def drop(self, data: msgspec.Raw) -> ObjectVersion:
        """Forget an object: it was deleted; `data` is its last state. Raises msgspec.DecodeError where it is none."""

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Forget every object that a complete list did not name."""

    def served(self, yes: bool) -> None:
        """Learn that the API is served, and its objects are complete; or that it is not, and there are none."""


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
