"""Parse the status of a request: the fields that the next reconcile reads. `status.py` makes them.

Another version or another writer can have written the status. No right is derived from it, and fields that cannot be
parsed count as missing.
"""

import re
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from atmpl.controller.outcome import WarningReason
from atmpl.version import __version__

_NUMBERS = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})")


class RequestStatus(NamedTuple):
    """The result of an earlier reconcile."""

    ready: bool = False
    reason: str = ""  # of the condition Ready
    finished_at: datetime | None = None  # completionTime
    generation: int = 0  # observedGeneration
    source_uid: str = ""  # of the VM that was rendered
    source_version: str = ""  # resourceVersion of the VM that was rendered
    digest: str = ""  # of the VM that was rendered; only with OnChange, until the template is detached
    refused_digest: str = ""  # of a VM that this version, or a later one, could not render
    template_version: str = ""  # resourceVersion of the template after the last write
    template_uid: str = ""
    source_gone: bool = False  # the warning SourceGone is present


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str
    reason: str
    lastTransitionTime: Annotated[datetime, msgspec.Meta(tz=True)]  # noqa: N815 - the API's name


class _Rendered(msgspec.Struct, frozen=True):
    digest: str = ""
    templateResourceVersion: str = ""  # noqa: N815


class _Refused(msgspec.Struct, frozen=True):
    digest: str = ""


class _Source(msgspec.Struct, frozen=True):
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815


class _TemplateRef(msgspec.Struct, frozen=True):
    uid: str = ""


class _Warning(msgspec.Struct, frozen=True):
    reason: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] = []
    observedGeneration: int = 0  # noqa: N815
    completionTime: Annotated[datetime, msgspec.Meta(tz=True)] | None = None  # noqa: N815
    source: _Source = _Source()
    rendered: _Rendered = _Rendered()
    refused: _Refused = _Refused()
    templateRef: _TemplateRef = _TemplateRef()  # noqa: N815
    warnings: list[_Warning] = []


_decode = msgspec.json.Decoder(_Status).decode


def parse_status(status: bytes) -> RequestStatus:
    """Return the parsed JSON of a status; an empty RequestStatus if it is not valid. The next write replaces it."""
    try:
        parsed = _decode(status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return RequestStatus()
    ready = next((condition for condition in parsed.conditions if condition.type == "Ready"), None)
    is_ready = ready is not None and ready.status == "True"
    return RequestStatus(
        ready=is_ready,
        reason=ready.reason if ready else "",
        finished_at=parsed.completionTime or (ready.lastTransitionTime if ready and is_ready else None),
        generation=parsed.observedGeneration,
        source_uid=parsed.source.uid,
        source_version=parsed.source.resourceVersion,
        digest=parsed.rendered.digest,
        refused_digest=_refused_digest(parsed.refused.digest),
        template_version=parsed.rendered.templateResourceVersion,
        template_uid=parsed.templateRef.uid,
        source_gone=any(warning.reason == WarningReason.SOURCE_GONE for warning in parsed.warnings),
    )


def refused_by(digest: str) -> str:
    """Return the digest of a VM that this version could not render, with this version."""
    return f"{__version__} {digest}"


def _refused_digest(text: str) -> str:
    """Return the digest in a text of `refused_by`; an empty string if an older version made it.

    After an upgrade, the VM is rendered again. The digest of a later version counts: otherwise two active replicas of
    different versions would write the status in turn, without end.
    """
    version, _, digest = text.rpartition(" ")
    return digest if version and _numbers(version) >= _numbers(__version__) else ""


def _numbers(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version)
    return tuple(map(int, found.groups())) if found else ()
