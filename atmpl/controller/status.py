"""Compute the next status of a request from an outcome. `reconcile.py` writes it with `Cluster.write_status`.

No other module builds conditions; failure messages come from the outcome.

The conditions follow kstatus: `Ready` always, `Stalled` only if a user or an administrator must act. Conditions of
other types belong to other writers and are carried over, except `Authorized`: version 0.1 wrote it.
"""

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Expired,
    Outcome,
    Postponed,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    SourceGone,
    UpToDate,
    WarningReason,
    source_gone,
)
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.request_status import refused_by
from atmpl.template import Omitted, RenderWarning
from atmpl.template.printable import printable

MAX_MESSAGE_CHARACTERS = 1024  # of a message or a path; the CRD's limit for warnings
MAX_WARNINGS = 100  # the CRD's limit
MAX_OMITTED = 100  # the CRD's limit
MAX_CONDITIONS = 16  # the CRD's limit

Status = dict[str, Any]


def next_status(request: Request, outcome: Outcome, now: datetime) -> Status | None:
    """Return the status that follows from `outcome`; None if the current status is the same.

    `now` is the API server's time.
    """
    old = _old_status(request)
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    match outcome:
        case Rendered():
            new = _rendered_status(request, outcome, old, time)
            ready = _Ready(Reason.RENDERED, _ready_message(request, new))
        case SourceGone():
            warnings = [*_other_warnings(old)[: MAX_WARNINGS - 1], *_warnings((source_gone(outcome.vm),))]
            new = old | {"warnings": warnings}
            ready = _Ready(Reason.RENDERED, _ready_message(request, new))
        case Detached():
            new = _without_source_gone({field: value for field, value in old.items() if field != "rendered"})
            if "rendered" in old:
                new["completionTime"] = time
            ready = _Ready(Reason.RENDERED, _ready_message(request, new))
        case Blocked() | Rejected() | Retry() if request.is_published_once:
            return None  # the template belongs to its user; a failed deletion of the request changes nothing
        case Blocked() | Rejected():
            new = _without_source_gone(old)
            new.pop("refused", None)
            if isinstance(outcome, Rejected) and outcome.refused_digest:
                new["refused"] = {"digest": refused_by(outcome.refused_digest)}
            ready = _Ready(outcome.reason, outcome.message)
        case Retry():
            new = dict(old)
            ready = _Ready(outcome.reason, outcome.message)
        case UpToDate():
            return _bump_generation(request, old)
        case Conflict() | Postponed() | RequestGone() | Expired():
            return None
        case _:
            raise NotImplementedError(outcome.name)
    if request.spec:
        new["source"] = _named_source(request.spec, new)
    new["observedGeneration"] = request.generation
    new["conditions"] = _conditions(request, old, time, ready)
    return None if new == old else new


def is_reported(request: Request, outcome: Outcome) -> bool:
    """Return True if the status already has the reason and the message of `outcome`, a failure."""
    if request.status.reason != outcome.name:
        return False
    ready = next((it for it in _conditions_of(_old_status(request)) if it.get("type") == "Ready"), {})
    return bool(ready.get("message") == _cut(outcome.message))


def _old_status(request: Request) -> Status:
    try:
        old = orjson.loads(request.raw_status)
    except orjson.JSONDecodeError:
        return {}
    return old if isinstance(old, dict) else {}


def _bump_generation(request: Request, old: Status) -> Status | None:
    """Return the old status with the current generation; None if it has that already, or was never written.

    `kubectl wait` compares a condition's observedGeneration with the request's generation.
    """
    is_own = request.status.reason != ""  # the schema's default has no conditions
    if request.spec is None or not is_own or request.status.generation == request.generation:
        return None
    conditions = [
        condition | {"observedGeneration": request.generation} if condition.get("type") in _OWN_TYPES else condition
        for condition in _conditions_of(old)
        if condition.get("type") not in _DROPPED_TYPES
    ]
    return old | {"observedGeneration": request.generation, "conditions": conditions}


def _named_source(spec: RequestSpec, status: Status) -> Status:
    """Return the source with its namespace and name. The rest describes the VM that was rendered last."""
    source = status.get("source")
    return {"namespace": spec.source.namespace, "name": spec.source.name} | {
        field: value
        for field, value in (source if isinstance(source, dict) else {}).items()
        if field in {"uid", "generation", "resourceVersion"}
    }


def _rendered_status(request: Request, outcome: Rendered, old: Status, time: str) -> Status:
    spec = _spec(request)
    new = old | {
        "source": {
            "uid": outcome.source.uid,
            "generation": outcome.source.generation,
            "resourceVersion": outcome.source.resource_version,
        },
        "templateRef": {
            "apiVersion": outcome.api_version or spec.format.api_version,
            "kind": spec.format.kind,
            "name": spec.template_name,
            "uid": outcome.published.uid,
        },
        "parameterCount": outcome.parameter_count,
        "warnings": _warnings(outcome.warnings),
        "omitted": _omitted(outcome.omitted),
        "lastRenderTime": time if outcome.written else old.get("lastRenderTime", time),
    }
    for field in ("rendered", "refused", "completionTime"):
        new.pop(field, None)
    if not new["omitted"]:
        del new["omitted"]
    if spec.refresh_on_change:
        new["rendered"] = {
            "digest": outcome.digest,
            "templateResourceVersion": outcome.published.resource_version,
        }
    else:
        new["completionTime"] = old.get("completionTime", time)
    return new


def _warnings(warnings: tuple[RenderWarning, ...]) -> list[Status]:
    """Return the warnings, at most as many as a status can hold; the last one then has the number of the others."""
    more = len(warnings) - MAX_WARNINGS
    if more > 0:
        last = warnings[MAX_WARNINGS - 1]
        message = f"And {more + 1:,} more. {last.message}"
        warnings = (*warnings[: MAX_WARNINGS - 1], last._replace(message=message))
    return [
        {"reason": warning.reason, "message": _cut(warning.message), "path": _cut(warning.path)} for warning in warnings
    ]


def _omitted(omitted: tuple[Omitted, ...]) -> list[Status]:
    """Return the first MAX_OMITTED omitted fields."""
    return [{"reason": each.reason, "path": _cut(each.path)} for each in omitted[:MAX_OMITTED]]


def _without_source_gone(old: Status) -> Status:
    return old | {"warnings": _other_warnings(old)} if "warnings" in old else dict(old)


def _other_warnings(old: Status) -> list[Status]:
    return [w for w in _objects(old.get("warnings")) if w.get("reason") != WarningReason.SOURCE_GONE]


def _conditions_of(old: Status) -> list[Status]:
    return _objects(old.get("conditions"))


def _objects(value: Any) -> list[Status]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _ready_message(request: Request, new: Status) -> str:
    spec = _spec(request)
    template = f"{spec.format.kind} {request.template_key(spec)} was rendered from VM {spec.source}"
    if not spec.refresh_on_change:
        return f"{template}. It now belongs to its users: the controller no longer changes it"
    if len(_other_warnings(new)) < len(_objects(new.get("warnings"))):
        return f"{template}, which was deleted (SourceGone). The template is not changed"
    return f"{template}, and is refreshed when the VM changes"


def _spec(request: Request) -> RequestSpec:
    assert request.spec is not None, "only a request with a supported spec can be rendered"
    return request.spec


class _Ready(NamedTuple):
    """The new condition Ready."""

    reason: Reason
    message: str


class _NewCondition(NamedTuple):
    type: str
    status: str
    reason: str
    message: str


_OWN_TYPES = {"Ready", "Stalled"}
_DROPPED_TYPES = {"Authorized"}  # of version 0.1; no right is derived from a status


def _conditions(request: Request, old: Status, time: str, ready: _Ready) -> list[Status]:
    status = "True" if ready.reason is Reason.RENDERED else "False"
    conditions = [_NewCondition("Ready", status, ready.reason, ready.message)]
    if ready.reason.is_stalled:
        conditions.append(_NewCondition("Stalled", "True", ready.reason, ready.message))
    before = {str(condition.get("type")): condition for condition in _conditions_of(old)}
    new = [_condition(request, before.get(condition.type), condition, time) for condition in conditions]
    others = [condition for kind, condition in before.items() if kind not in _OWN_TYPES | _DROPPED_TYPES]
    return [*new, *others[: MAX_CONDITIONS - len(_OWN_TYPES)]]


def _condition(request: Request, before: Status | None, new: _NewCondition, time: str) -> Status:
    since = before.get("lastTransitionTime") if before and before.get("status") == new.status else None
    return {
        "type": new.type,
        "status": new.status,
        "reason": str(new.reason),
        "message": _cut(new.message),
        "observedGeneration": request.generation,
        "lastTransitionTime": since or time,
    }


def _cut(message: str) -> str:
    text = printable(message)
    return text if len(text) <= MAX_MESSAGE_CHARACTERS else text[: MAX_MESSAGE_CHARACTERS - 1] + "…"
