"""What a reconcile can find: a closed set. An outcome is at once status, metric label and the queue's next move."""

from dataclasses import dataclass
from enum import StrEnum

from atmpl.controller.objects import ObjectKey
from atmpl.template import RenderWarning


class Reason(StrEnum):
    """Reasons of the condition Ready. Design section 1."""

    RENDERED = "Rendered"
    SOURCE_NOT_FOUND = "SourceNotFound"
    TARGET_CONFLICT = "TargetConflict"
    FORMAT_UNAVAILABLE = "FormatUnavailable"
    CROSS_NAMESPACE_DENIED = "CrossNamespaceDenied"
    INVALID_SOURCE = "InvalidSource"
    TOO_LARGE = "TooLarge"
    UNSUPPORTED = "Unsupported"
    FORBIDDEN = "Forbidden"
    FAILED = "Failed"


class WarningReason(StrEnum):
    """Reasons of `status.warnings` that are the controller's own; the others come with a Render. Design section 1."""

    SOURCE_GONE = "SourceGone"


def source_gone(vm: ObjectKey) -> RenderWarning:
    """Return the warning that a VM is deleted and its template, kept in step until then, is not."""
    message = (
        f"VM {vm} is deleted; the template stays as it was last rendered. "
        "Nothing needs doing: if a VM of that name comes back, the template follows it"
    )
    return RenderWarning(WarningReason.SOURCE_GONE, message, "")


@dataclass(frozen=True, slots=True)
class Source:
    """The VM that was rendered, as the status names it."""

    uid: str
    generation: int
    version: str  # resourceVersion


@dataclass(frozen=True, slots=True)
class Published:
    """The template, as the status names it."""

    uid: str
    version: str  # resourceVersion


@dataclass(frozen=True, slots=True)
class Rendered:
    """The template is there and says what the VM says."""

    source: Source
    published: Published
    parameters: int
    warnings: tuple[RenderWarning, ...]
    digest: str  # empty under Once: there is nothing to compare with later
    written: bool  # whether this reconcile wrote the template
    seconds: float = 0.0  # that rendering and proving took


@dataclass(frozen=True, slots=True)
class SourceGone:
    """OnChange, and the VM was deleted: the template stays as it is."""

    vm: ObjectKey


@dataclass(frozen=True, slots=True)
class Detached:
    """OnChange became Once: the template is its user's now."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing to do until the cluster changes; `again` is when to look without being woken, in seconds."""

    reason: Reason
    message: str
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """No retry will help: until the VM changes, or ever."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The cluster did not let us: tried again, backing off, and not before `after` seconds where the server said so."""

    reason: Reason
    message: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that was judged has changed meanwhile: judge anew at once."""

    what: str


@dataclass(frozen=True, slots=True)
class UpToDate:
    """Everything is as it should be; `again` is when the TTL ends, in seconds."""

    again: float | None = None


@dataclass(frozen=True, slots=True)
class RequestGone:
    """The request is deleted or on its way out, or its namespace is: left alone; `again` is when to look, in seconds.

    A namespace may be long about its end, and an API server that has just started may take a new one for an old one.
    """

    again: float | None = None


Outcome = Rendered | SourceGone | Detached | Blocked | Rejected | Retry | Conflict | UpToDate | RequestGone


QUIET_RETRIES = 3  # times in a row that a server may ask to be left alone before anything is written about it


def should_suppress_status(outcome: Outcome, failures: int) -> bool:
    """Whether nothing is written of an outcome yet: the server asked to be left alone, which is no news for long.

    A status and an event more for each request is what keeps an overloaded server so. `failures`: of this request,
    in a row, before this outcome.
    """
    return isinstance(outcome, Retry) and outcome.after is not None and failures < QUIET_RETRIES


def label(outcome: Outcome) -> str:
    """Return the outcome's word in logs and metrics: its reason where it has one."""
    if isinstance(outcome, Blocked | Rejected | Retry):
        return str(outcome.reason)
    return type(outcome).__name__
