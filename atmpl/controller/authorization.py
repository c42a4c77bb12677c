"""The requester's right to read the source VM. config/README.md: Security.

Two checks protect a VM from users who may not read it:

- At creation, the admission policy checks the author of the request. `check_policy` determines whether the policy was
  in force at creation, from the stored policy and binding. The result is never taken from the request's status,
  because users can write statuses.
- Later, a SubjectAccessReview checks the recorded requester again: if the VM is read more than
  `CREATION_CHECK_SECONDS` after the request was created, or if it is not the VM that was rendered before. The recorded
  requester is trusted only if a policy that compares it with the author was in force. Without one, a VM of another
  namespace that was created more than `CREATION_CHECK_SECONDS` after the request is not rendered.

A policy and its binding with generation 1 were never changed since their creation. managedFields do not show every
change: a write that only removes a field leaves no trace there (measured).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from atmpl.controller.admission_policy import SPECS
from atmpl.controller.cluster import APINotFoundError, Cluster, PolicyObjects, UnavailableError
from atmpl.controller.outcome import Blocked, Outcome, Reason, Rejected, Retry
from atmpl.controller.request import Request, Requester, RequestSpec

# A new binding is enforced after about 1 s (measured), on several API servers later.
GRACE = timedelta(seconds=10)
CREATION_CHECK_SECONDS = 60.0  # the policy's check at creation counts for reads within this time
POLICY_RECHECK_SECONDS = 60.0
ACCESS_RECHECK_SECONDS = 600.0

# The values that the API server can fill into `matchResources`; none of them narrows the binding.
DEFAULT_MATCH_RESOURCES: dict[str, Any] = {
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
}

_APPLY = "Have a cluster administrator apply config/policy"
_REPLACE = "Have a cluster administrator delete the policy and its binding and apply config/policy"
_NO_REMEDY = ""
_GRANT = (
    f"Grant the right, and this request continues within {ACCESS_RECHECK_SECONDS / 60:.0f} minutes; or delete this "
    "request and create it again as a user who may get the VM"
)


class PolicyCheck(Enum):
    """The state of the admission policy, for one request: the metric's label, the explanation, the remedy.

    Best first: `check_policy` returns the first of these that a version of the policy has.
    """

    IN_FORCE = ("in_force", "the admission policy checked this request when it was created", _NO_REMEDY)
    REQUEST_EARLIER = (
        "request_earlier",
        f"the admission policy is in force now, but not {GRACE.total_seconds():.0f} s before this request was created",
        _NO_REMEDY,
    )
    POLICY_CHANGED = ("policy_changed", "the admission policy was changed after its creation", _REPLACE)
    BINDING_CHANGED = (
        "binding_changed",
        "the binding of the admission policy was changed after its creation",
        _REPLACE,
    )
    UNREADABLE = ("unreadable", "the admission policy or its binding has invalid metadata", _REPLACE)
    POLICY_ABSENT = ("policy_absent", "the admission policy does not exist", _APPLY)
    POLICY_DIFFERS = ("policy_differs", "the admission policy differs from the released one", _REPLACE)
    BINDING_ABSENT = ("binding_absent", "the binding of the admission policy does not exist", _APPLY)
    BINDING_ELSEWHERE = ("binding_elsewhere", "the binding names another admission policy", _REPLACE)
    BINDING_NOT_DENY = (
        "binding_not_deny",
        "the binding of the admission policy has validationActions other than [Deny]",
        _REPLACE,
    )
    BINDING_NARROWED = (
        "binding_narrowed",
        "the binding of the admission policy has matchResources or other fields that limit it",
        _REPLACE,
    )

    def __init__(self, label: str, explanation: str, remedy: str) -> None:
        self.label = label
        self.explanation = explanation
        self.remedy = remedy

    @property
    def was_in_force(self) -> bool:
        """Return True if the policy was in force when the request was created: its author was checked."""
        return self is PolicyCheck.IN_FORCE

    @property
    def is_in_force(self) -> bool:
        """Return True if the policy is in force now; its age and generation do not matter."""
        return self in _IN_FORCE_NOW


_IN_FORCE_NOW = {  # UNREADABLE: the policy exists, but its times are invalid
    PolicyCheck.IN_FORCE,
    PolicyCheck.REQUEST_EARLIER,
    PolicyCheck.POLICY_CHANGED,
    PolicyCheck.BINDING_CHANGED,
    PolicyCheck.UNREADABLE,
}


def check_policy(request_created: str, policies: dict[str, PolicyObjects]) -> PolicyCheck:
    """Return the state of the best accepted version of the policy, for a request with this creationTimestamp.

    `policies` are the stored objects by name. Any field can be missing or have any type. Raises nothing.
    """
    checks = {_check_version(name, request_created, policies.get(name, PolicyObjects(None, None))) for name in SPECS}
    return next(check for check in PolicyCheck if check in checks)


def _check_version(name: str, request_created: str, objects: PolicyObjects) -> PolicyCheck:
    policy, binding = objects
    if policy is None:
        return PolicyCheck.POLICY_ABSENT
    if binding is None:
        return PolicyCheck.BINDING_ABSENT
    if _get(policy, "spec") != SPECS[name]:
        return PolicyCheck.POLICY_DIFFERS
    if (problem := _binding_problem(name, _get(binding, "spec"))) is not None:
        return problem
    if not _is_one(_get(policy, "metadata", "generation")):
        return PolicyCheck.POLICY_CHANGED
    if not _is_one(_get(binding, "metadata", "generation")):
        return PolicyCheck.BINDING_CHANGED
    try:
        latest = max(parse_time(_get(each, "metadata", "creationTimestamp")) for each in (policy, binding))
        is_early = parse_time(request_created) - latest <= GRACE
    except (TypeError, ValueError):
        return PolicyCheck.UNREADABLE
    return PolicyCheck.REQUEST_EARLIER if is_early else PolicyCheck.IN_FORCE


def _binding_problem(name: str, spec: Any) -> PolicyCheck | None:
    """Return why a binding with this spec does not deny for all requests; None if it does."""
    if not isinstance(spec, dict) or spec.get("policyName") != name:
        return PolicyCheck.BINDING_ELSEWHERE
    if spec.get("validationActions") != ["Deny"]:
        return PolicyCheck.BINDING_NOT_DENY
    matched = spec.get("matchResources", {})
    narrows = not isinstance(matched, dict) or any(DEFAULT_MATCH_RESOURCES.get(key) != matched[key] for key in matched)
    if narrows or spec.keys() - {"policyName", "validationActions", "matchResources"}:
        return PolicyCheck.BINDING_NARROWED
    return None


def parse_time(text: Any) -> datetime:
    """Return a time in the API server's format, 2006-01-02T15:04:05Z. Raises TypeError or ValueError."""
    if len(text) != 20 or text[-1] != "Z":
        raise ValueError("not a time of the API server")
    return datetime.fromisoformat(text)  # 60 times as fast as strptime


def _is_one(number: Any) -> bool:
    return type(number) is int and number == 1  # True and 1.0 equal 1


def _get(value: Any, *path: str) -> Any:
    """Return the value at `path`; None if a part of it is missing or is not an object."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True, slots=True)
class Access:
    """The result of the checks for one reconcile."""

    policy_check: PolicyCheck | None = None  # None if the policy was not read
    requester: Requester | None = None  # None if it is not recorded, or not trusted
    is_reviewed: bool = False  # a SubjectAccessReview allowed the read
    denied: Outcome | None = None


async def authorize(request: Request, spec: RequestSpec, cluster: Cluster, *, policy_required: bool) -> Access:
    """Check if the VM may be read for the requester, before it is read. Raises ClusterError.

    Without `policy_required`, a source in the request's namespace needs no policy.
    """
    crosses = request.crosses_namespaces
    if not (crosses or policy_required or spec.requester):
        return Access()
    check = check_policy(request.created, await _policies(cluster))
    if crosses and not check.was_in_force:
        return Access(check, denied=_cross_namespace_denied(spec, check))
    if policy_required and not check.is_in_force:
        return Access(check, denied=_policy_missing(spec, check))
    access = Access(check, requester=spec.requester if check.was_in_force else None)
    if access.requester and _is_old(request, cluster):
        return await _review(access, access.requester, spec, cluster)
    return access


async def authorize_vm(
    access: Access, request: Request, spec: RequestSpec, cluster: Cluster, *, uid: str, created: Any
) -> Access:
    """Check the VM that was read: it can be another VM than the policy checked, or than was rendered before.

    `created` is the VM's creationTimestamp, of any type; no user can write it. The status, with the uid of the VM that
    was rendered, can deny a read, but it never allows one, because users can write statuses. Raises ClusterError.
    """
    if access.is_reviewed:
        return access
    is_another = request.status.source_uid not in {"", uid}
    if access.requester:
        if is_another or _is_old(request, cluster):  # the read of the VM took time
            return await _review(access, access.requester, spec, cluster)
    elif request.crosses_namespaces and (is_another or _is_late(request, created)):
        return replace(access, denied=_access_unrecorded(spec))
    return access


async def _policies(cluster: Cluster) -> dict[str, PolicyObjects]:
    try:
        return await cluster.policies()
    except APINotFoundError as error:  # not about the template's format
        raise UnavailableError(f"admission policies are not served: {error}") from None


async def _review(access: Access, requester: Requester, spec: RequestSpec, cluster: Cluster) -> Access:
    try:
        review = await cluster.may_get_vm(requester, spec.source)
    except APINotFoundError as error:
        raise UnavailableError(f"subjectaccessreviews are not served: {error}") from None
    if review.allowed:
        return replace(access, is_reviewed=True)
    if review.evaluation_error:  # the authorizers could not decide
        problem = "The API server could not check the requester's right to read the VM. It is checked again"
        return replace(access, denied=Retry(Reason.FAILED, problem))
    return replace(access, denied=_access_revoked(f"The requester may no longer get VM {spec.source}", _GRANT))


def _is_old(request: Request, cluster: Cluster) -> bool:
    """Return True if the policy's check at creation no longer counts, by the API server's clock.

    The requester is trusted, so `check_policy` has parsed the time of creation.
    """
    return (cluster.now() - parse_time(request.created)).total_seconds() > CREATION_CHECK_SECONDS


def _is_late(request: Request, vm_created: Any) -> bool:
    """Return True if the check at creation no longer counted when the VM was created, or if that time is unknown."""
    try:
        age = parse_time(vm_created) - parse_time(request.created)
    except (TypeError, ValueError):
        return True
    return age.total_seconds() > CREATION_CHECK_SECONDS


def _cross_namespace_denied(spec: RequestSpec, check: PolicyCheck) -> Rejected:
    remedy = f"{check.remedy}, then delete" if check.remedy else "Delete"
    return Rejected(
        Reason.CROSS_NAMESPACE_DENIED,
        f"VM {spec.source} of another namespace was not read: {check.explanation}. {remedy} this request and create it "
        "again",
    )


def _policy_missing(spec: RequestSpec, check: PolicyCheck) -> Blocked:
    return Blocked(
        Reason.POLICY_MISSING,
        f"VM {spec.source} was not read: {check.explanation}. {check.remedy}, or run the controller with --policy "
        f"Optional. The policy is checked again every {POLICY_RECHECK_SECONDS:.0f} s",
        requeue_after=POLICY_RECHECK_SECONDS,
    )


def _access_revoked(problem: str, remedy: str) -> Blocked:
    return Blocked(
        Reason.ACCESS_REVOKED,
        f"{problem}. An existing template is not changed. {remedy}",
        requeue_after=ACCESS_RECHECK_SECONDS,
    )


def _access_unrecorded(spec: RequestSpec) -> Blocked:
    return _access_revoked(
        f"VM {spec.source} was created after this request was checked. The request does not record its requester, so "
        "the right to read this VM cannot be checked",
        "Delete this request and create it again as a user who may get the VM. If it records its requester "
        "(config/requester), it is served after a review",
    )
