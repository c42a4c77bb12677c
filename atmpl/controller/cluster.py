"""The few verbs that the story of a request needs from a cluster, and its errors by meaning.

`atmpl.kube.cluster` speaks them over HTTP; a test's model keeps the objects in memory and passes the same contract.
What a stream has shown is read at once (`vm_digest`, `template_version`); what needs a call is awaited.
"""

from enum import Enum, auto
from typing import Any, Final, NamedTuple, Protocol

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Published
from atmpl.controller.request import Request
from atmpl.template import Format


class TemplateMeta(NamedTuple):
    """What decides whose template it is."""

    uid: str
    version: str  # resourceVersion
    created: str  # RFC 3339
    labels: dict[str, str]
    annotations: dict[str, str]


class PolicyObjects(NamedTuple):
    """The admission policy and its binding as the cluster holds them now; None where there is none."""

    policy: dict[str, Any] | None
    binding: dict[str, Any] | None


class Unknown(Enum):
    """The type of UNKNOWN."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN  # a stream has not shown yet whether the object exists


class StreamState(Enum):
    """The state of a stream. Its objects are known in all states but SYNCING."""

    SYNCING = auto()  # the first list is not complete
    WATCHING = auto()
    INTERRUPTED = auto()  # its last known objects can be out of date; it will resume or list again
    NOT_SERVED = auto()  # the cluster has no such API; there are no objects


class ClusterError(Exception):
    """A call failed. Its text contains no value that the server quoted and may be shown to anyone.

    `server_message` is the server's own text. It may only be shown to the user who made the call.
    """

    server_message = ""


class UnavailableError(ClusterError):
    """The server did not answer, or answered that it cannot now. `after`: its Retry-After, in seconds."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class ForbiddenError(ClusterError):
    """The controller may not do this."""


class NamespaceTerminatingError(ClusterError):
    """The namespace is being deleted, or is gone: nothing can be made in it any more."""


class APINotFoundError(ClusterError):
    """The cluster does not serve this API."""


class AlreadyExistsError(ClusterError):
    """An object of that name is there already."""


class ConflictError(ClusterError):
    """The object is not the one that was judged: changed, deleted, or made again."""


class InvalidError(ClusterError):
    """The server refused the object itself."""


class TooLargeError(ClusterError):
    """The object is more than the server can store."""


class Cluster(Protocol):
    """A cluster, as the controller needs it. Every awaited verb raises ClusterError, and nothing else."""

    def serves_namespace(self, namespace: str) -> bool:
        """Return True if the controller watches the objects of this namespace."""

    def vm_stream(self, namespace: str) -> StreamState:
        """Return the state of the stream of a namespace's VMs."""

    def template_stream(self, format: Format, namespace: str) -> StreamState:
        """Return the state of the stream of a format's refreshed templates in a namespace."""

    def vm_digest(self, source: ObjectKey) -> str | Unknown | None:
        """Return the digest (see `vm_digest`) of the VM as the stream last showed it.

        None if it does not exist, UNKNOWN if the stream has not shown that yet.
        """

    def template_version(self, format: Format, key: ObjectKey) -> str | None:
        """Return the resourceVersion of a template kept in step, as the stream shows it; None where it shows none."""

    async def vm(self, source: ObjectKey, *, fresh: bool = False) -> dict[str, Any] | None:
        """Read the VM; None if it does not exist.

        With `fresh`, it is at least as new as the moment of this call. Otherwise it is at least as new as the stream
        showed it, and can come from the API server's watch cache.
        """

    async def create_template(self, format: Format, namespace: str, body: bytes) -> Published:
        """Write a new template, `body` being its JSON."""

    async def template_meta(self, format: Format, key: ObjectKey) -> TemplateMeta | None:
        """Read a template's metadata; None where there is no such template."""

    async def template(self, format: Format, key: ObjectKey) -> dict[str, Any] | None:
        """Read a whole template; None where there is no such template."""

    async def patch_template(self, format: Format, key: ObjectKey, patch: list[dict[str, Any]]) -> Published:
        """Apply a JSON patch to a template. A `test` that fails is a MovedError."""

    async def is_current(self, request: Request) -> bool:
        """Return whether the cluster, read anew, has this very request (uid and generation), not being deleted."""

    async def policy(self) -> PolicyObjects:
        """Read the admission policy and its binding, live."""

    async def write_status(self, request: Request, status: dict[str, Any]) -> None:
        """Write the status of the request that was judged: MovedError if it is no longer that one."""

    async def delete_request(self, request: Request) -> None:
        """Delete the request that was judged: MovedError if it is no longer that one."""
