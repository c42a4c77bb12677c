"""The calls that a reconcile needs from a cluster, and their errors.

`atmpl.kube.cluster` implements the protocol over HTTP. The tests have an API server in memory that passes the same
contract tests. Methods without `async` read from the watch streams' stores and make no call.
"""

from datetime import datetime
from enum import Enum, auto
from typing import Any, Final, NamedTuple, Protocol

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Published
from atmpl.controller.request import Request, Requester
from atmpl.template import Format

# With these, a template is deleted with another object, cannot be deleted, or is being deleted. The controller sets
# none of them.
LIFETIME_FIELDS: Final = ("ownerReferences", "finalizers", "deletionTimestamp")


class TemplateMeta(NamedTuple):
    """The metadata of a template that decide its ownership."""

    uid: str
    resource_version: str
    created: str  # creationTimestamp, RFC 3339
    labels: dict[str, str]
    annotations: dict[str, str]
    lifetime_fields: tuple[str, ...] = ()  # of LIFETIME_FIELDS those that it has


class PolicyObjects(NamedTuple):
    """The admission policy of one version and its binding, as stored; None if it does not exist."""

    policy: dict[str, Any] | None
    binding: dict[str, Any] | None


class AccessReview(NamedTuple):
    """The answer of a SubjectAccessReview."""

    allowed: bool
    evaluation_error: str = ""  # empty if the authorizers decided without an error


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
    """A call failed. Its text contains no value that the server quoted and is safe for all readers.

    `server_message` is the server's own text. It may only be shown to the user who made the call.
    """

    server_message = ""


class UnavailableError(ClusterError):
    """The server did not answer, or cannot answer now. `retry_after`: its Retry-After in seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ForbiddenError(ClusterError):
    """RBAC or an admission plugin denied the call."""


class NamespaceTerminatingError(ClusterError):
    """The namespace is being deleted or does not exist: no object can be created in it."""


class APINotFoundError(ClusterError):
    """The cluster does not serve this API."""


class AlreadyExistsError(ClusterError):
    """An object of that name exists."""


class ConflictError(ClusterError):
    """The object was changed, deleted or created again since it was read."""


class InvalidError(ClusterError):
    """The server rejected the object as invalid."""


class TooLargeError(ClusterError):
    """The object is larger than the server can store."""


class Cluster(Protocol):
    """A cluster. Async methods raise ClusterError and no other exception."""

    def now(self) -> datetime:
        """Return the API server's current time: the last `Date` header plus the monotonic time since then."""

    def serves_namespace(self, namespace: str) -> bool:
        """Return True if the controller watches the objects of this namespace."""

    def vm_stream(self, namespace: str) -> StreamState:
        """Return the state of the stream of a namespace's VMs."""

    def template_stream(self, format: Format, namespace: str) -> StreamState:
        """Return the state of the stream of a format's refreshed templates in a namespace."""

    def template_api_version(self, format: Format, namespace: str) -> str:
        """Return the API version of a format's templates that is served; the format's own if none is known to be."""

    def vm_digest(self, source: ObjectKey) -> str | Unknown | None:
        """Return the digest (see `vm_digest`) of the VM as the stream last showed it.

        None if it does not exist, UNKNOWN if the stream has not shown that yet.
        """

    def record_size(self, source: ObjectKey, *, is_large: bool) -> None:
        """Record whether the last template of the VM was large: then few of its requests are reconciled at a time."""

    def template_version(self, format: Format, key: ObjectKey) -> str | None:
        """Return the resourceVersion of a refreshed template in the stream's store; None if it is not there."""

    async def vm(self, source: ObjectKey, *, uncached: bool = False) -> dict[str, Any] | None:
        """Read the VM; None if it does not exist.

        With `uncached`, it is at least as new as this call. Otherwise it is at least as new as the stream showed it,
        and can come from the API server's watch cache.
        """

    async def create_template(self, format: Format, namespace: str, body: bytes) -> Published:
        """Create a template from its JSON."""

    async def template_meta(self, format: Format, key: ObjectKey) -> TemplateMeta | None:
        """Read a template's metadata; None if it does not exist."""

    async def template(self, format: Format, key: ObjectKey) -> dict[str, Any] | None:
        """Read a template; None if it does not exist."""

    async def patch_template(self, format: Format, key: ObjectKey, patch: bytes) -> Published:
        """Apply a JSON patch to a template, given as JSON. Raises ConflictError if a `test` fails."""

    async def is_current(self, request: Request, *, exact: bool = False) -> bool:
        """Return True if an uncached read finds the request with this uid and generation, not being deleted.

        With `exact`, its resourceVersion must be the same too: its status did not change either.
        """

    async def policies(self) -> dict[str, PolicyObjects]:
        """Return the accepted admission policies and their bindings by name.

        The read begins after this call; concurrent callers share it.
        """

    async def may_get_vm(self, requester: Requester, source: ObjectKey) -> AccessReview:
        """Check by a SubjectAccessReview if the requester may get the VM."""

    async def write_status(self, request: Request, status: dict[str, Any]) -> None:
        """Write the status. Raises ConflictError if the request changed since it was read."""

    async def delete_request(self, request: Request) -> None:
        """Delete the request. Raises ConflictError if the request changed since it was read."""
