"""(outcome, old status, now) -> new status. The only place that writes conditions. Design section 1.

The conditions follow kstatus: `Ready` always, `Stalled` only while no retry will help, `Authorized` once and for good.
"""

from datetime import datetime
from typing import Any, NamedTuple, assert_never

import orjson

from atmpl.controller.outcome import (
    Gone,
    Moved,
    Outcome,
    Reason,
    Refused,
    Released,
    Rendered,
    Retry,
    Source,
    SourceGone,
    Unchanged,
    Waiting,
    WarningReason,
)
from atmpl.controller.request import Asked, Request
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
            new = old | _rendered(request, outcome, old, now)
            if not outcome.digest:
                new.pop("rendered", None)
            said = (Reason.RENDERED, _made(request), False)
        case SourceGone():
            new = old | {"warnings": [*_others(old), _source_gone(outcome)]}
            said = (Reason.RENDERED, _made(request), False)
        case Released():
            new = {field: value for field, value in old.items() if field != "rendered"}
            said = (Reason.RENDERED, _made(request), False)
        case Waiting() | Retry():
            new = dict(old)
            said = (outcome.reason, outcome.message, False)
        case Refused():
            new = old | ({"source": _source(outcome.source)} if outcome.source else {})
            said = (outcome.reason, outcome.message, True)
        case Unchanged() if old and request.told.generation != request.generation:
            return old | {"observedGeneration": request.generation}
        case Unchanged() | Moved() | Gone():
            return None
        case _:
            assert_never(outcome)
    new["observedGeneration"] = request.generation
    new["conditions"] = _conditions(request, old, now, said, authorized)
    return None if new == old else new


def _old(request: Request) -> Status:
    try:
        old = orjson.loads(request.status)
    except orjson.JSONDecodeError:
        return {}
    return old if isinstance(old, dict) else {}


def _rendered(request: Request, outcome: Rendered, old: Status, now: datetime) -> Status:
    asked = _asked(request)
    fields: Status = {
        "source": _source(outcome.source),
        "templateRef": {
            "apiVersion": asked.format.api_version,
            "kind": asked.format.kind,
            "name": asked.template,
            "uid": outcome.published.uid,
        },
        "parameters": outcome.parameters,
        "warnings": _warnings(outcome.warnings),
        "lastRenderTime": _time(now) if outcome.written else old.get("lastRenderTime", _time(now)),
    }
    if outcome.digest:
        fields["rendered"] = {"digest": outcome.digest, "templateResourceVersion": outcome.published.version}
    return fields


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


def _source(source: Source) -> Status:
    return {"uid": source.uid, "generation": source.generation, "resourceVersion": source.version}


def _source_gone(outcome: SourceGone) -> Status:
    message = (
        f"VM {outcome.vm} is deleted; the template stays as it was last rendered. "
        "Nothing needs doing: if a VM of that name comes back, the template follows it"
    )
    return {"reason": WarningReason.SOURCE_GONE, "message": message, "path": ""}


def _others(old: Status) -> list[Any]:
    warnings = old.get("warnings")
    if not isinstance(warnings, list):
        return []
    return [w for w in warnings if isinstance(w, dict) and w.get("reason") != WarningReason.SOURCE_GONE]


def _made(request: Request) -> str:
    asked = _asked(request)
    kept = ", and kept in step with it" if asked.keep_in_step else ""
    return f"{asked.format.kind} {request.template_key(asked)} is made from VM {asked.source}{kept}"


def _asked(request: Request) -> Asked:
    assert request.asked is not None, "only a request that asks for something can be rendered"
    return request.asked


def _conditions(
    request: Request, old: Status, now: datetime, said: tuple[Reason, str, bool], authorized: str | None
) -> list[Status]:
    reason, message, stalled = said
    ready = "True" if reason == Reason.RENDERED else "False"
    conditions = [_Said("Ready", ready, reason, message)]
    if stalled:
        conditions.append(_Said("Stalled", "True", reason, message))
    if authorized is not None:
        conditions.append(_Said("Authorized", "True", "PolicyInForce", authorized))
    held = old.get("conditions")
    before = {c.get("type"): c for c in held if isinstance(c, dict)} if isinstance(held, list) else {}
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
