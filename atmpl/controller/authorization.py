"""Whether the admission policy checked a request when it was created. Design section 5. Pure; never raises.

The policy stands between a request's author and a VM that they may not read. The controller was not there when the
request was created, so it judges from the two objects as they are now, and from when they last changed:

- the policy's spec is the one that this version ships, its binding denies and spares nobody, and
- both have been so since more than `GRACE` before the request was created.

When an object last changed is told by its creation and its managedFields, but not by these alone: a write that only
removes something (matchConditions that spared a namespace, say) leaves no trace there, the entry of the one who had
added it goes as well (measured). Only the generation, which counts the changes of a spec, tells. So a generation of 1
is wanted: never changed since it was created. A policy of a later one (an upgrade) is dated by its status, which
kube-controller-manager writes anew for each generation. A binding has no status: once changed, it must be made again.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from atmpl.controller.admission_policy import NAME, SPEC

GRACE = timedelta(seconds=10)  # a new or changed binding is enforced only after about 1 s; several API servers, later

# What the API server may fill into `matchResources`, none of which narrows the binding.
SPARES_NOBODY: dict[str, Any] = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}

_AGAIN = "delete this request and create it again"
_APPLY = f"have a cluster administrator apply config/policy, then {_AGAIN}"
_REMAKE_BOTH = f"have a cluster administrator delete both and apply config/policy, then {_AGAIN}"
_REMAKE = f"have a cluster administrator delete the binding {NAME} and apply config/policy, then {_AGAIN}"


class PolicyCheck(Enum):
    """What was found: a word that stays the same (the metric's label), why, and what to do."""

    IN_FORCE = ("in_force", f"the admission policy {NAME} checked this request", "")
    POLICY_ABSENT = ("policy_absent", f"the admission policy {NAME} is not there", _APPLY)
    POLICY_DIFFERS = ("policy_differs", f"the admission policy {NAME} is not as this version ships it", _APPLY)
    POLICY_UNDATED = (
        "policy_undated",
        f"the admission policy {NAME} was changed, and its status does not yet say so",
        f"wait for its status.observedGeneration, then {_AGAIN}",
    )
    BINDING_ABSENT = ("binding_absent", f"the admission policy {NAME} has no binding of that name", _APPLY)
    BINDING_ELSEWHERE = ("binding_elsewhere", f"the binding {NAME} is of another policy", _REMAKE)
    BINDING_NOT_DENY = ("binding_not_deny", f"the binding {NAME} has other validationActions than [Deny]", _REMAKE)
    BINDING_NARROWED = ("binding_narrowed", f"the binding {NAME} has matchResources, paramRef or the like", _REMAKE)
    BINDING_CHANGED = ("binding_changed", f"the binding {NAME} was changed after it was created", _REMAKE)
    REQUEST_EARLIER = (
        "request_earlier",
        f"this request was created before the admission policy {NAME} had been in force for 10 s",
        _AGAIN,
    )
    UNREADABLE = (
        "unreadable",
        f"the admission policy {NAME} or its binding has metadata that make no sense",
        _REMAKE_BOTH,
    )

    def __init__(self, word: str, why: str, remedy: str) -> None:
        self.word = word
        self.why = why
        self.remedy = remedy

    @property
    def in_force(self) -> bool:
        """Whether the request's author was checked, so that a source in another namespace may be read for them."""
        return self is PolicyCheck.IN_FORCE

    @property
    def message(self) -> str:
        """Why, and what to do about it: for the request's status."""
        return f"{self.why}; {self.remedy}" if self.remedy else self.why


def judge(request_created: str, policy: dict[str, Any] | None, binding: dict[str, Any] | None) -> PolicyCheck:
    """Judge whether the policy was in force when a request was created.

    `request_created` is the request's creationTimestamp; `policy` and `binding` are the live objects of the name
    `NAME`, None where there is none. What they hold is not trusted to be there, or to be of any type.
    """
    if policy is None:
        return PolicyCheck.POLICY_ABSENT
    if binding is None:
        return PolicyCheck.BINDING_ABSENT
    if _at(policy, "spec") != SPEC:
        return PolicyCheck.POLICY_DIFFERS
    if (wrong := _wrong_with(_at(binding, "spec"))) is not None:
        return wrong
    if _whole(_at(binding, "metadata", "generation")) != 1:
        return PolicyCheck.BINDING_CHANGED
    generation = _whole(_at(policy, "metadata", "generation"))
    changed = generation != 1
    if changed and (generation is None or _whole(_at(policy, "status", "observedGeneration")) != generation):
        return PolicyCheck.POLICY_UNDATED
    try:
        last = max(*_times(policy, by_status=changed), *_times(binding, by_status=False))
        early = _time(request_created) - last <= GRACE
    except (TypeError, ValueError):
        return PolicyCheck.UNREADABLE
    return PolicyCheck.REQUEST_EARLIER if early else PolicyCheck.IN_FORCE


def _wrong_with(spec: Any) -> PolicyCheck | None:
    """Return what keeps a binding of this spec from denying to everybody; None where nothing does."""
    if not isinstance(spec, dict) or spec.get("policyName") != NAME:
        return PolicyCheck.BINDING_ELSEWHERE
    if spec.get("validationActions") != ["Deny"]:
        return PolicyCheck.BINDING_NOT_DENY
    matched = spec.get("matchResources", {})
    spares = not isinstance(matched, dict) or any(SPARES_NOBODY.get(key) != matched[key] for key in matched)
    if spares or spec.keys() - {"policyName", "validationActions", "matchResources"}:
        return PolicyCheck.BINDING_NARROWED
    return None


def _times(thing: Any, *, by_status: bool) -> Iterator[datetime]:
    """Yield when `thing` was created and when it was changed; `by_status` also when its status was, which it must be.

    Raises TypeError or ValueError where a time cannot be read.
    """
    yield _time(_at(thing, "metadata", "creationTimestamp"))
    entries = _at(thing, "metadata", "managedFields")
    if not isinstance(entries, list | None):
        raise TypeError("managedFields is no list")
    dated = False
    for entry in entries or ():
        of_status = _at(entry, "subresource") == "status"
        time = _at(entry, "time")
        if time is not None and (by_status or not of_status):  # there is none where an apply changed nothing (measured)
            dated |= of_status
            yield _time(time)
    if by_status and not dated:
        raise ValueError("nobody has written the status")


def _time(text: Any) -> datetime:
    """Read a time as the API server writes it. Raises TypeError or ValueError for anything else."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def _whole(number: Any) -> int | None:
    return number if type(number) is int else None  # True and 1.0 are equal to 1


def _at(thing: Any, *path: str) -> Any:
    """Return what stands at `path`; None where nothing does, or where something on the way is no object."""
    for key in path:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing
