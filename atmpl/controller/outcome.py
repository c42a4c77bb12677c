"""The possible outcomes of a reconcile.

An outcome declares its consequences: whether its status is written at once, the event, the metric's result, the requeue
and the rate limit. The worker, the metrics and the rate limiter read these attributes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import ClassVar

from atmpl.controller.objects import ObjectKey
from atmpl.template import Omitted, RenderWarning
from atmpl.template.printable import printable

QUIET_RETRIES = 3  # consecutive answers with Retry-After that write no status


class Reason(StrEnum):
    """Reasons of the condition Ready. config/README.md: Troubleshooting."""

    RENDERED = "Rendered"
    SOURCE_NOT_FOUND = "SourceNotFound"
    TARGET_CONFLICT = "TargetConflict"
    FORMAT_UNAVAILABLE = "FormatUnavailable"
    POLICY_MISSING = "PolicyMissing"
    CROSS_NAMESPACE_DENIED = "CrossNamespaceDenied"
    ACCESS_REVOKED = "AccessRevoked"
    INVALID_SOURCE = "InvalidSource"
    TOO_LARGE = "TooLarge"
    UNSUPPORTED = "Unsupported"
    FORBIDDEN = "Forbidden"
    FAILED = "Failed"

    @property
    def is_stalled(self) -> bool:
        """Return True if a user or an administrator must act before the request is served: the condition Stalled."""
        return self in _STALLED


_STALLED = {
    Reason.TARGET_CONFLICT,
    Reason.POLICY_MISSING,
    Reason.CROSS_NAMESPACE_DENIED,
    Reason.ACCESS_REVOKED,
    Reason.INVALID_SOURCE,
    Reason.TOO_LARGE,
    Reason.UNSUPPORTED,
}


class WarningReason(StrEnum):
    """Reasons in `status.warnings` that the controller adds to those of the template layer."""

    SOURCE_GONE = "SourceGone"
    ACCESS_NOT_RECHECKED = "AccessNotRechecked"


def source_gone(vm: ObjectKey) -> RenderWarning:
    """Return the warning that the source of a refreshed template was deleted."""
    message = (
        f"VM {vm} was deleted. The template remains as it was last rendered. No action is needed: if a VM of that name "
        "appears, the template is refreshed from it"
    )
    return RenderWarning(WarningReason.SOURCE_GONE, message, "")


def access_not_rechecked(vm: ObjectKey) -> RenderWarning:
    """Return the warning that a refreshed template shows a VM of another namespace without further access checks."""
    message = (
        f"VM {vm} is in another namespace, and the request does not record its requester. The template is refreshed "
        "even if the requester loses the right to read the VM. To stop the refresh, delete this request. To check the "
        "right at each refresh, delete it, and create it with `atmpl create` or after applying config/requester "
        "(Kubernetes 1.36)"
    )
    return RenderWarning(WarningReason.ACCESS_NOT_RECHECKED, message, "")


@dataclass(frozen=True, slots=True)
class Source:
    """The version of the VM that was rendered, for the status."""

    uid: str
    generation: int
    resource_version: str


@dataclass(frozen=True, slots=True)
class Published:
    """The version of the template in the cluster, for the status."""

    uid: str
    resource_version: str


class Requeue(Enum):
    """What the work queue does with the request's key."""

    FORGET = auto()  # reset the backoff; reconcile again at the next event, or after `requeue_after` if it is set
    IMMEDIATE = auto()  # requeue without delay; the backoff stays
    CONFLICT = auto()  # reconcile again after 0, 0.02, 0.1 and 0.5 s, then with backoff
    BACKOFF = auto()  # reconcile again with exponential backoff


class EventType(StrEnum):
    """Types of events of the core API."""

    WARNING = "Warning"
    NORMAL = "Normal"  # only written after a Warning


class Result(StrEnum):
    """Values of controller-runtime's label `result`."""

    SUCCESS = "success"
    ERROR = "error"
    REQUEUE = "requeue"
    REQUEUE_AFTER = "requeue_after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one reconcile."""

    requeue_after: float | None = None  # seconds

    requeue: ClassVar[Requeue] = Requeue.FORGET
    event: ClassVar[EventType | None] = None
    is_routine: ClassVar[bool] = False  # logged at level debug

    @property
    def name(self) -> str:
        """Return the name in logs and metrics."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """Return the message for users; empty if the outcome has none."""
        return ""

    @property
    def retry_after(self) -> float | None:
        """Return the server's Retry-After in seconds, if it sent one."""
        return None

    @property
    def is_rate_limited(self) -> bool:
        """Return True if a reconcile at the next event would repeat the calls of this one: it then waits."""
        return False

    @property
    def result(self) -> Result:
        """Return the value of the metric's label `result`."""
        if self.requeue is Requeue.FORGET:
            return Result.SUCCESS if self.requeue_after is None else Result.REQUEUE_AFTER
        return Result.ERROR if self.requeue is Requeue.BACKOFF else Result.REQUEUE

    def is_quiet(self, failures: int) -> bool:
        """Return True if neither a status nor an event is written after `failures` consecutive failures."""
        del failures
        return False


@dataclass(frozen=True, slots=True)
class Rendered(Outcome):
    """The template exists and equals the rendering of the VM."""

    event: ClassVar = EventType.NORMAL

    source: Source
    published: Published
    parameter_count: int
    warnings: tuple[RenderWarning, ...]
    digest: str  # of the VM; empty with Once, which never compares again
    written: bool  # True if this reconcile wrote the template
    omitted: tuple[Omitted, ...] = ()  # fields of the VM that the template leaves out or blanks
    api_version: str = ""  # of the template, if it is not the format's own
    seconds: float = 0.0  # for rendering and verifying

    @property
    def is_rate_limited(self) -> bool:
        """Return True with OnChange; a Once request is finished."""
        return bool(self.digest)


@dataclass(frozen=True, slots=True)
class SourceGone(Outcome):
    """OnChange, and the VM was deleted: the template remains."""

    event: ClassVar = EventType.NORMAL

    vm: ObjectKey


@dataclass(frozen=True, slots=True)
class Detached(Outcome):
    """OnChange became Once: the template now belongs to its user."""

    event: ClassVar = EventType.NORMAL

    @property
    def is_rate_limited(self) -> bool:
        """Return True: this reconcile made calls."""
        return True


@dataclass(frozen=True, slots=True)
class _Failure(Outcome):
    """An outcome with Ready=False."""

    event: ClassVar = EventType.WARNING

    reason: Reason
    text: str

    @property
    def name(self) -> str:
        """Return the reason."""
        return str(self.reason)

    @property
    def message(self) -> str:
        """Return the message without control characters: parts of it come from objects of other users."""
        return printable(self.text)

    @property
    def is_rate_limited(self) -> bool:
        """Return True, except if the VM was not found: its creation must not wait."""
        return self.reason is not Reason.SOURCE_NOT_FOUND


@dataclass(frozen=True, slots=True)
class Blocked(_Failure):
    """The request waits for a change in the cluster."""


@dataclass(frozen=True, slots=True)
class Rejected(_Failure):
    """The request cannot be served. With `refused_digest`, it is reconciled again if the VM changes."""

    refused_digest: str = ""  # of the VM that was rendered without success


@dataclass(frozen=True, slots=True)
class Retry(_Failure):
    """A call failed. It is retried with backoff, but not before the server's Retry-After in seconds."""

    requeue: ClassVar = Requeue.BACKOFF

    retry_after: float | None = None

    def is_quiet(self, failures: int) -> bool:
        """Return True for the first QUIET_RETRIES answers with Retry-After.

        Status and event writes for each request would keep an overloaded server overloaded.
        """
        return self.retry_after is not None and failures < QUIET_RETRIES


@dataclass(frozen=True, slots=True)
class InternalError(Retry):
    """A bug: the reconcile raised an exception other than ClusterError."""


@dataclass(frozen=True, slots=True)
class Conflict(Outcome):
    """An object changed during the reconcile: reconcile again after 0, 0.02, 0.1 and 0.5 s, then with backoff."""

    requeue: ClassVar = Requeue.CONFLICT

    what: str


@dataclass(frozen=True, slots=True)
class Postponed(Outcome):
    """The template is large, and all slots for large ones are taken: the request waits in the queue. No status changes.

    The failures before are not forgotten.
    """

    requeue: ClassVar = Requeue.IMMEDIATE
    is_routine: ClassVar = True


@dataclass(frozen=True, slots=True)
class UpToDate(Outcome):
    """The status did not change, except for `observedGeneration`. Includes rechecks of blocked requests.

    `requeue_after` is the TTL or the next check of a blocked request. Otherwise the next event is awaited.
    """

    is_routine: ClassVar = True

    @property
    def is_rate_limited(self) -> bool:
        """Return True if it checked a blocked request, or if a TTL runs."""
        return self.requeue_after is not None


@dataclass(frozen=True, slots=True)
class RequestGone(Outcome):
    """The request or its namespace is being deleted.

    `requeue_after` is set for a namespace: its deletion can take long, and an API server that has just started can
    report a new namespace as the deleted one.
    """

    is_routine: ClassVar = True

    @property
    def result(self) -> Result:
        """Return success: the request is not expected to be reconciled again."""
        return Result.SUCCESS


@dataclass(frozen=True, slots=True)
class Expired(Outcome):
    """The TTL of a finished request has passed, and the request was deleted. Its template remains."""


def outcome_names() -> Iterator[str]:
    """Yield each name that an outcome can have: the values of the metric's label `outcome`."""
    yield from map(str, Reason)
    for kind in (SourceGone, Detached, Conflict, Postponed, UpToDate, RequestGone, Expired):
        yield kind.__name__
