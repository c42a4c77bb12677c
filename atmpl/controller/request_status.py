"""What a request's status says, as far as the next reconcile needs it. A status is written by `status.py` alone.

It may be another version's, and whoever may write statuses may write anything: what cannot be read has not been said.
"""

from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from atmpl.controller.outcome import WarningReason


class RequestStatus(NamedTuple):
    """What an earlier reconcile wrote."""

    ready: bool = False
    reason: str = ""  # of the condition Ready
    ready_since: datetime | None = None  # None where nothing is said of Ready
    generation: int = 0  # observedGeneration
    authorized: bool = False
    source_version: str = ""  # resourceVersion of the VM that was rendered
    digest: str = ""  # of what was rendered; only under OnChange, and until such a request is released
    template_version: str = ""  # the template's resourceVersion then
    template_uid: str = ""
    source_gone: bool = False  # the warning of that name stands in the status


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str
    reason: str
    lastTransitionTime: Annotated[datetime, msgspec.Meta(tz=True)]  # noqa: N815 - the API's name


class _Rendered(msgspec.Struct, frozen=True):
    digest: str = ""
    templateResourceVersion: str = ""  # noqa: N815


class _Source(msgspec.Struct, frozen=True):
    resourceVersion: str = ""  # noqa: N815


class _TemplateRef(msgspec.Struct, frozen=True):
    uid: str = ""


class _Warning(msgspec.Struct, frozen=True):
    reason: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] = []
    observedGeneration: int = 0  # noqa: N815
    source: _Source = _Source()
    rendered: _Rendered = _Rendered()
    templateRef: _TemplateRef = _TemplateRef()  # noqa: N815
    warnings: list[_Warning] = []


_decode = msgspec.json.Decoder(_Status).decode


def parse_status(status: bytes) -> RequestStatus:
    """Read a status, as JSON. Raises nothing: one that is not of ours counts as none, and is then written over."""
    try:
        said = _decode(status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return RequestStatus()
    conditions = {condition.type: condition for condition in said.conditions}
    ready, authorized = conditions.get("Ready"), conditions.get("Authorized")
    return RequestStatus(
        ready=ready is not None and ready.status == "True",
        reason=ready.reason if ready else "",
        ready_since=ready.lastTransitionTime if ready else None,
        generation=said.observedGeneration,
        authorized=authorized is not None and authorized.status == "True",
        source_version=said.source.resourceVersion,
        digest=said.rendered.digest,
        template_version=said.rendered.templateResourceVersion,
        template_uid=said.templateRef.uid,
        source_gone=any(warning.reason == WarningReason.SOURCE_GONE for warning in said.warnings),
    )
