"""(outcome, old status, now) -> new status. The only place that writes conditions. Design section 1.

The conditions follow kstatus: `Ready` always, `Stalled` only while no retry will help, `Authorized` once and for good.
"""

from datetime import datetime
from typing import Any, NamedTuple, assert_never

import orjson

from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Outcome,
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
from atmpl.template import RenderWarning

MESSAGE_LIMIT = 1024  # characters of a message or a path; longer ones end in an ellipsis. The CRD's limit
WARNING_LIMIT = 100  # the CRD's limit

Status = dict[str, Any]


def next_status(request: Request, outcome: Outcome, now: datetime, *, authorized: str | None = None) -> Status | None:
    """Return the status that `outcome` calls for, or None where the one that stands says it already.

    `authorized` is the message of the condition Authorized, where this reconcile found that the policy was in force.
    """
    old = _old(request)
    match outcome:
        case Rendered():
            new = _rendered(request, outcome, old, now)
            said = _Ready(Reason.RENDERED, _made(request, new))
        case SourceGone():
            new = old | {"warnings": [*_others(old)[: WARNING_LIMIT - 1], *_warnings((source_gone(outcome.vm),))]}
            said = _Ready(Reason.RENDERED, _made(request, new))
        case Detached():
            new = _without_source_gone({field: value for field, value in old.items() if field != "rendered"})
            said = _Ready(Reason.RENDERED, _made(request, new), finished="rendered" in old)
        case Blocked() | Rejected() | Retry() if request.done:
            return None  # the template is its user's: that a deletion or a release failed does not take it back
        case Blocked() | Rejected():
            new = _without_source_gone(old)
            said = _Ready(outcome.reason, outcome.message, stalled=isinstance(outcome, Rejected))
        case Retry():
            new = dict(old)
            said = _Ready(outcome.reason, outcome.message)
        case UpToDate():
            return _of_this_generation(request, old)
        case Conflict() | RequestGone():
            return None
        case _:
            assert_never(outcome)
    new["observedGeneration"] = request.generation
    new["conditions"] = _conditions(request, old, now, said, authorized)
    return None if new == old else new


def _old(request: Request) -> Status:
    try:
        old = orjson.loads(request.raw_status)
    except orjson.JSONDecodeError:
        return {}
    return old if isinstance(old, dict) else {}


def _of_this_generation(request: Request, old: Status) -> Status | None:
    """Return the old status as one that speaks of the newest generation: `kubectl wait` looks at the condition's."""
    if request.spec is None or not old or request.status.generation == request.generation:
        return None
    conditions = [
        condition if condition.get("type") == "Authorized" else condition | {"observedGeneration": request.generation}
        for condition in _held(old)
    ]
    return old | {"observedGeneration": request.generation, "conditions": conditions}


def _rendered(request: Request, outcome: Rendered, old: Status, now: datetime) -> Status:
    spec = _asked(request)
    new = old | {
        "source": {
            "uid": outcome.source.uid,
            "generation": outcome.source.generation,
            "resourceVersion": outcome.source.version,
        },
        "templateRef": {
            "apiVersion": spec.format.api_version,
            "kind": spec.format.kind,
            "name": spec.template,
            "uid": outcome.published.uid,
        },
        "parameters": outcome.parameters,
        "warnings": _warnings(outcome.warnings),
        "lastRenderTime": _time(now) if outcome.written else old.get("lastRenderTime", _time(now)),
    }
    new.pop("rendered", None)
    if outcome.digest:
        new["rendered"] = {"digest": outcome.digest, "templateResourceVersion": outcome.published.version}
    return new


def _warnings(warnings: tuple[RenderWarning, ...]) -> list[Status]:
    """Return as many warnings as a status holds; the last one says how many there are besides."""
    more = len(warnings) - WARNING_LIMIT
    if more > 0:
        last = warnings[WARNING_LIMIT - 1]
        message = f"And {more + 1:,} more. {last.message}"
        warnings = (*warnings[: WARNING_LIMIT - 1], last._replace(message=message))
    return [
        {"reason": warning.reason, "message": _cut(warning.message), "path": _cut(warning.path)} for warning in warnings
    ]


def _without_source_gone(old: Status) -> Status:
    return old | {"warnings": _others(old)} if "warnings" in old else dict(old)


def _others(old: Status) -> list[Status]:
    return [w for w in _objects(old.get("warnings")) if w.get("reason") != WarningReason.SOURCE_GONE]


def _held(old: Status) -> list[Status]:
    return _objects(old.get("conditions"))


def _objects(value: Any) -> list[Status]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _made(request: Request, new: Status) -> str:
    spec = _asked(request)
    kept = ""
    if spec.refresh_on_change:
        gone = len(_others(new)) < len(_objects(new.get("warnings")))
        kept = ", which is deleted (SourceGone): it stays as it is" if gone else ", and kept in step with it"
    return f"{spec.format.kind} {request.template_key(spec)} is made from VM {spec.source}{kept}"


def _asked(request: Request) -> RequestSpec:
    assert request.spec is not None, "only a request that asks for something can be rendered"
    return request.spec


class _Ready(NamedTuple):
    """What is said of Ready."""

    reason: Reason
    message: str
    stalled: bool = False
    finished: bool = False  # from now on, though it was ready before: a TTL counts from here


def _conditions(request: Request, old: Status, now: datetime, said: _Ready, authorized: str | None) -> list[Status]:
    ready = "True" if said.reason == Reason.RENDERED else "False"
    conditions = [_Said("Ready", ready, said.reason, said.message)]
    if said.stalled:
        conditions.append(_Said("Stalled", "True", said.reason, said.message))
    if authorized is not None:
        conditions.append(_Said("Authorized", "True", "PolicyInForce", authorized))
    before = {str(condition.get("type")): condition for condition in _held(old)}
    if said.finished:
        before.pop("Ready", None)
    new = [_condition(request, before.get(condition.type), condition, now) for condition in conditions]
    if authorized is None and "Authorized" in before:
        new.append(before["Authorized"])
    return new


class _Said(NamedTuple):
    type: str
    status: str
    reason: str
    message: str


def _condition(request: Request, before: Status | None, said: _Said, now: datetime) -> Status:
    since = before.get("lastTransitionTime") if before and before.get("status") == said.status else None
    return {
        "type": said.type,
        "status": said.status,
        "reason": str(said.reason),
        "message": _cut(said.message),
        "observedGeneration": request.generation,
        "lastTransitionTime": since or _time(now),
    }


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def _time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
