"""The state of the admission policy, and the checks of the requester's access."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from atmpl.controller.authorization import Access, PolicyCheck, authorize, authorize_vm, check_policy
from atmpl.controller.cluster import AccessReview, APINotFoundError, ClusterError, PolicyObjects, UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Blocked, Reason, Retry
from atmpl.controller.request import Request, Requester, parse_request
from tests.support import admission
from tests.support.admission import CREATED, binding, policies, policy
from tests.support.builders import a_request

Edit = Callable[[dict[str, Any], dict[str, Any]], Any]  # of (policy, binding), which start as the API server shows them

POLICY: dict[str, tuple[Edit, PolicyCheck]] = {
    "both as released": (lambda p, b: None, PolicyCheck.IN_FORCE),
    "a label on either": (
        lambda p, b: (p["metadata"].update(labels={"a": "b"}), b["metadata"].update(labels={"a": "b"})),
        PolicyCheck.IN_FORCE,
    ),
    "no status": (lambda p, b: p.pop("status"), PolicyCheck.IN_FORCE),
    "failurePolicy Ignore": (lambda p, b: p["spec"].update(failurePolicy="Ignore"), PolicyCheck.POLICY_DIFFERS),
    "a matchCondition": (
        lambda p, b: p["spec"].update(matchConditions=[{"name": "x", "expression": "false"}]),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "a namespaceSelector": (
        lambda p, b: p["spec"]["matchConstraints"].update(namespaceSelector={"matchLabels": {"a": "b"}}),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "an excludeResourceRule": (
        lambda p, b: p["spec"]["matchConstraints"].update(
            excludeResourceRules=p["spec"]["matchConstraints"]["resourceRules"]
        ),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "operations without CREATE": (
        lambda p, b: p["spec"]["matchConstraints"]["resourceRules"][0].update(operations=["UPDATE"]),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "one resource more": (
        lambda p, b: p["spec"]["matchConstraints"]["resourceRules"][0]["resources"].append("pods"),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "a paramKind": (
        lambda p, b: p["spec"].update(paramKind={"apiVersion": "v1", "kind": "ConfigMap"}),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "an expression that is always true": (
        lambda p, b: p["spec"]["validations"][0].update(expression="true"),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "a validation fewer": (lambda p, b: p["spec"]["validations"].pop(), PolicyCheck.POLICY_DIFFERS),
    "another variable": (
        lambda p, b: p["spec"]["variables"][0].update(expression="'mine'"),
        PolicyCheck.POLICY_DIFFERS,
    ),
    "a field of a later Kubernetes": (lambda p, b: p["spec"].update(later="x"), PolicyCheck.POLICY_DIFFERS),
    "no spec": (lambda p, b: p.pop("spec"), PolicyCheck.POLICY_DIFFERS),
    "a spec that is a list": (lambda p, b: p.update(spec=[]), PolicyCheck.POLICY_DIFFERS),
    "changed after its creation": (lambda p, b: p["metadata"].update(generation=2), PolicyCheck.POLICY_CHANGED),
    "a generation that is a string": (lambda p, b: p["metadata"].update(generation="1"), PolicyCheck.POLICY_CHANGED),
    "a generation that is true": (lambda p, b: p["metadata"].update(generation=True), PolicyCheck.POLICY_CHANGED),
    "no generation": (lambda p, b: p["metadata"].pop("generation"), PolicyCheck.POLICY_CHANGED),
    "metadata that are a string": (lambda p, b: p.update(metadata="x"), PolicyCheck.POLICY_CHANGED),
    "no creationTimestamp": (lambda p, b: p["metadata"].pop("creationTimestamp"), PolicyCheck.UNREADABLE),
    "a creationTimestamp that is a number": (
        lambda p, b: p["metadata"].update(creationTimestamp=0),
        PolicyCheck.UNREADABLE,
    ),
    "a creationTimestamp without a time": (
        lambda p, b: p["metadata"].update(creationTimestamp="2026-11-24"),
        PolicyCheck.UNREADABLE,
    ),
    "a creationTimestamp with an offset": (
        lambda p, b: p["metadata"].update(creationTimestamp="2026-11-24T05:00:00+00:00"),
        PolicyCheck.UNREADABLE,
    ),
    "a creationTimestamp of 20 other characters": (
        lambda p, b: p["metadata"].update(creationTimestamp="20261124T050000+0000"),
        PolicyCheck.UNREADABLE,
    ),
}

BINDING: dict[str, tuple[Edit, PolicyCheck]] = {
    "defaults of the API server": (
        lambda p, b: b["spec"].update(
            matchResources={"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
        ),
        PolicyCheck.IN_FORCE,
    ),
    "empty matchResources": (lambda p, b: b["spec"].update(matchResources={}), PolicyCheck.IN_FORCE),
    "of another policy": (lambda p, b: b["spec"].update(policyName="other"), PolicyCheck.BINDING_ELSEWHERE),
    "no policyName": (lambda p, b: b["spec"].pop("policyName"), PolicyCheck.BINDING_ELSEWHERE),
    "no spec": (lambda p, b: b.pop("spec"), PolicyCheck.BINDING_ELSEWHERE),
    "a spec that is text": (lambda p, b: b.update(spec="Deny"), PolicyCheck.BINDING_ELSEWHERE),
    "Audit only": (lambda p, b: b["spec"].update(validationActions=["Audit"]), PolicyCheck.BINDING_NOT_DENY),
    "Warn only": (lambda p, b: b["spec"].update(validationActions=["Warn"]), PolicyCheck.BINDING_NOT_DENY),
    "Deny and Audit": (
        lambda p, b: b["spec"].update(validationActions=["Deny", "Audit"]),
        PolicyCheck.BINDING_NOT_DENY,
    ),
    "no action": (lambda p, b: b["spec"].update(validationActions=[]), PolicyCheck.BINDING_NOT_DENY),
    "actions that are text": (lambda p, b: b["spec"].update(validationActions="Deny"), PolicyCheck.BINDING_NOT_DENY),
    "no validationActions": (lambda p, b: b["spec"].pop("validationActions"), PolicyCheck.BINDING_NOT_DENY),
    "a namespaceSelector": (
        lambda p, b: b["spec"].update(matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
        PolicyCheck.BINDING_NARROWED,
    ),
    "an objectSelector": (
        lambda p, b: b["spec"].update(matchResources={"objectSelector": {"matchLabels": {"a": "b"}}}),
        PolicyCheck.BINDING_NARROWED,
    ),
    "excludeResourceRules": (
        lambda p, b: b["spec"].update(matchResources={"excludeResourceRules": [{"resourceNames": ["x"]}]}),
        PolicyCheck.BINDING_NARROWED,
    ),
    "resourceRules": (
        lambda p, b: b["spec"].update(matchResources={"resourceRules": [{"resources": ["pods"]}]}),
        PolicyCheck.BINDING_NARROWED,
    ),
    "matchPolicy Exact": (
        lambda p, b: b["spec"].update(matchResources={"matchPolicy": "Exact"}),
        PolicyCheck.BINDING_NARROWED,
    ),
    "matchResources that are a list": (lambda p, b: b["spec"].update(matchResources=[]), PolicyCheck.BINDING_NARROWED),
    "a paramRef": (
        lambda p, b: b["spec"].update(paramRef={"name": "x", "parameterNotFoundAction": "Allow"}),
        PolicyCheck.BINDING_NARROWED,
    ),
    "a field of a later Kubernetes": (lambda p, b: b["spec"].update(later={}), PolicyCheck.BINDING_NARROWED),
    "changed after its creation": (
        lambda p, b: b["metadata"].update(generation=3),
        PolicyCheck.BINDING_CHANGED,
    ),
    "no generation": (lambda p, b: b["metadata"].pop("generation"), PolicyCheck.BINDING_CHANGED),
    "a generation that only equals 1": (lambda p, b: b["metadata"].update(generation=1.0), PolicyCheck.BINDING_CHANGED),
    "no metadata": (lambda p, b: b.pop("metadata"), PolicyCheck.BINDING_CHANGED),
    "no creationTimestamp": (lambda p, b: b["metadata"].update(creationTimestamp=None), PolicyCheck.UNREADABLE),
}

TIME: dict[str, tuple[str, Edit, PolicyCheck]] = {  # the request's creation, what was done, and the verdict
    "11 s after the binding": ("2026-11-24T05:00:13Z", lambda p, b: None, PolicyCheck.IN_FORCE),
    "10 s after the binding": ("2026-11-24T05:00:12Z", lambda p, b: None, PolicyCheck.REQUEST_EARLIER),
    "before the binding": ("2026-11-24T04:00:00Z", lambda p, b: None, PolicyCheck.REQUEST_EARLIER),
    "10 s after the policy": (
        CREATED,
        lambda p, b: p["metadata"].update(creationTimestamp="2026-11-24T05:00:10Z"),
        PolicyCheck.REQUEST_EARLIER,
    ),
    "at no time": ("", lambda p, b: None, PolicyCheck.UNREADABLE),
    "a time in another format": ("yesterday", lambda p, b: None, PolicyCheck.UNREADABLE),
}


@pytest.mark.parametrize(("edit", "verdict"), POLICY.values(), ids=POLICY)
def test_policy_counts_only_as_released(edit: Edit, verdict: PolicyCheck) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert check_policy(CREATED, policies(p, b)) is verdict


@pytest.mark.parametrize(("edit", "verdict"), BINDING.values(), ids=BINDING)
def test_binding_counts_only_if_it_denies_for_all(edit: Edit, verdict: PolicyCheck) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert check_policy(CREATED, policies(p, b)) is verdict


@pytest.mark.parametrize(("created", "edit", "verdict"), TIME.values(), ids=TIME)
def test_request_counts_from_10_s_after_the_policy(created: str, edit: Edit, verdict: PolicyCheck) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert check_policy(created, policies(p, b)) is verdict


@pytest.mark.parametrize(
    ("p", "b", "verdict"),
    [
        (None, None, PolicyCheck.POLICY_ABSENT),
        (None, binding(), PolicyCheck.POLICY_ABSENT),
        (policy(), None, PolicyCheck.BINDING_ABSENT),
        ({}, {}, PolicyCheck.POLICY_DIFFERS),
    ],
)
def test_missing_object_is_reported(p: Any, b: Any, verdict: PolicyCheck) -> None:
    assert check_policy(CREATED, policies(p, b)) is verdict


def test_only_one_state_was_in_force_at_creation() -> None:
    assert [check for check in PolicyCheck if check.was_in_force] == [PolicyCheck.IN_FORCE]


def test_policy_as_released_is_in_force_now() -> None:
    assert {check for check in PolicyCheck if check.is_in_force} == {
        PolicyCheck.IN_FORCE,
        PolicyCheck.REQUEST_EARLIER,
        PolicyCheck.POLICY_CHANGED,
        PolicyCheck.BINDING_CHANGED,
        PolicyCheck.UNREADABLE,
    }


def test_states_have_stable_metric_labels() -> None:
    assert {check.label for check in PolicyCheck} == {
        "in_force",
        "request_earlier",
        "policy_changed",
        "binding_changed",
        "unreadable",
        "policy_absent",
        "policy_differs",
        "binding_absent",
        "binding_elsewhere",
        "binding_not_deny",
        "binding_narrowed",
    }


# Access


ALICE = {"username": "alice", "uid": "a-1", "groups": ["devs"], "extra": {"example.com/key": ["v"]}}
NOW = datetime(2026, 11, 24, 5, 1, 0, tzinfo=UTC)  # 40 s after the request was created
LIMIT = NOW + timedelta(seconds=20)
OLD = NOW + timedelta(seconds=21)


ALLOWED = AccessReview(allowed=True)


class ClusterOfOneAnswer:
    """A cluster with given policies, one answer to access reviews, and a clock."""

    def __init__(
        self,
        policies: dict[str, PolicyObjects] = admission.IN_FORCE,
        review: AccessReview | ClusterError = ALLOWED,
        now: datetime = NOW,
    ) -> None:
        self._policies = policies
        self._review = review
        self.now = lambda: now
        self.reviewed: list[tuple[Requester, ObjectKey]] = []
        self.policy_reads = 0

    async def policies(self) -> dict[str, PolicyObjects]:
        self.policy_reads += 1
        return self._policies

    async def may_get_vm(self, requester: Requester, source: ObjectKey) -> AccessReview:
        self.reviewed.append((requester, source))
        if isinstance(self._review, ClusterError):
            raise self._review
        return self._review


def request(*, namespace: str = "team-a", requester: Any = None, source_uid: str = "", **spec: Any) -> Request:
    posted = a_request(metadata={"uid": "1", "resourceVersion": "7", "creationTimestamp": CREATED}, **spec)
    posted["spec"]["source"]["vmNamespace"] = namespace
    if requester:
        posted["spec"]["requester"] = requester
    return parse_request(orjson.dumps(posted | {"status": {"source": {"uid": source_uid}}}))


async def access(
    request: Request, cluster: Any, *, required: bool = True, uid: str | None = None, created: Any = CREATED
) -> Access:
    assert request.spec is not None
    result = await authorize(request, request.spec, cluster, policy_required=required)
    if uid is not None and not result.denied:
        result = await authorize_vm(result, request, request.spec, cluster, uid=uid, created=created)
    return result


def reason(access: Access) -> str | None:
    return access.denied.name if access.denied else None


DIFFERS = policies(policy() | {"spec": {}}, binding())
EARLIER = policies(policy(), binding() | {"metadata": {"generation": 1, "creationTimestamp": "2026-11-24T05:00:19Z"}})
POLICY_STATES: dict[str, tuple[dict[str, PolicyObjects], str | None, str | None]] = {  # own, other namespace
    "in force": (admission.IN_FORCE, None, None),
    "in force after the request was created": (EARLIER, None, "CrossNamespaceDenied"),
    "absent": (admission.ABSENT, "PolicyMissing", "CrossNamespaceDenied"),
    "edited": (DIFFERS, "PolicyMissing", "CrossNamespaceDenied"),
}


@pytest.mark.parametrize("state", POLICY_STATES)
async def test_policy_state_decides_about_the_read(state: str) -> None:
    objects, own, other = POLICY_STATES[state]
    assert reason(await access(request(), ClusterOfOneAnswer(objects))) == own
    assert reason(await access(request(namespace="team-b"), ClusterOfOneAnswer(objects))) == other


async def test_missing_policy_is_checked_again() -> None:
    denied = (await access(request(), ClusterOfOneAnswer(admission.ABSENT))).denied
    assert isinstance(denied, Blocked)
    assert denied.requeue_after == 60.0


APPLY = "Have a cluster administrator apply config/policy"
REPLACE = "Have a cluster administrator delete the policy and its binding and apply config/policy"


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
@pytest.mark.parametrize(("objects", "remedy"), [(admission.ABSENT, APPLY), (DIFFERS, REPLACE)])
async def test_message_has_the_remedy(objects: dict[str, PolicyObjects], remedy: str, namespace: str) -> None:
    denied = (await access(request(namespace=namespace), ClusterOfOneAnswer(objects))).denied
    assert denied is not None
    assert remedy in denied.message


async def test_optional_policy_is_required_across_namespaces() -> None:
    cluster = ClusterOfOneAnswer(admission.ABSENT)
    assert reason(await access(request(), cluster, required=False)) is None
    assert cluster.policy_reads == 0
    assert reason(await access(request(requester=ALICE), cluster, required=False)) is None
    assert reason(await access(request(namespace="team-b"), cluster, required=False)) == "CrossNamespaceDenied"


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
async def test_requester_is_reviewed_only_if_the_creation_check_is_old(namespace: str) -> None:
    pending = request(namespace=namespace, requester=ALICE)
    young, old = ClusterOfOneAnswer(now=LIMIT), ClusterOfOneAnswer(now=OLD)
    assert (await access(pending, young)).denied is None
    assert (await access(pending, old)).denied is None
    alice = Requester("alice", "a-1", ("devs",), (("example.com/key", ("v",)),))
    assert (young.reviewed, old.reviewed) == ([], [(alice, ObjectKey(namespace, "vm"))])


async def test_requester_is_reviewed_if_the_policy_is_optional() -> None:
    cluster = ClusterOfOneAnswer(review=AccessReview(allowed=False), now=OLD)
    assert reason(await access(request(requester=ALICE), cluster, required=False)) == "AccessRevoked"


async def test_revoked_requester_is_denied() -> None:
    cluster = ClusterOfOneAnswer(review=AccessReview(allowed=False), now=OLD)
    denied = (await access(request(requester=ALICE), cluster)).denied
    assert isinstance(denied, Blocked)
    assert (denied.reason, denied.requeue_after) == (Reason.ACCESS_REVOKED, 600.0)


async def test_review_with_an_evaluation_error_is_retried() -> None:
    cluster = ClusterOfOneAnswer(review=AccessReview(allowed=False, evaluation_error="webhook down"), now=OLD)
    denied = (await access(request(requester=ALICE), cluster)).denied
    assert isinstance(denied, Retry)
    assert denied.reason is Reason.FAILED
    assert "webhook down" not in denied.message


async def test_requester_is_untrusted_without_a_policy_at_creation() -> None:
    cluster = ClusterOfOneAnswer(EARLIER, AccessReview(allowed=False), OLD)
    result = await access(request(requester=ALICE), cluster)
    assert (result.denied, result.requester, cluster.reviewed) == (None, None, [])


@pytest.mark.parametrize(("uid", "reviews"), [("v1", 0), ("v2", 1)])
async def test_vm_with_another_uid_is_reviewed(uid: str, reviews: int) -> None:
    cluster = ClusterOfOneAnswer(review=AccessReview(allowed=False))
    result = await access(request(requester=ALICE, source_uid="v1"), cluster, uid=uid)
    assert (reason(result), len(cluster.reviewed)) == ("AccessRevoked" if reviews else None, reviews)


@pytest.mark.parametrize(("namespace", "expected"), [("team-a", None), ("team-b", "AccessRevoked")])
async def test_vm_with_another_uid_without_requester(namespace: str, expected: str | None) -> None:
    cluster = ClusterOfOneAnswer(now=OLD)
    assert reason(await access(request(namespace=namespace, source_uid="v1"), cluster, uid="v2")) == expected


LATE = "2026-11-24T05:01:21Z"  # 61 s after the request was created
VM_TIMES: dict[str, tuple[Any, str | None]] = {  # creationTimestamp of a VM of another namespace, without a requester
    "before the request": ("2026-11-23T05:00:20Z", None),
    "60 s after the request": ("2026-11-24T05:01:20Z", None),
    "61 s after the request": (LATE, "AccessRevoked"),
    "absent": (None, "AccessRevoked"),
    "a number": (0, "AccessRevoked"),
    "no time": ("yesterday", "AccessRevoked"),
}


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
@pytest.mark.parametrize("source_uid", ["", "v1"])  # users who may patch the status can write both
@pytest.mark.parametrize("case", VM_TIMES)
async def test_late_vm_needs_a_requester(case: str, source_uid: str, policy: str) -> None:
    created, expected = VM_TIMES[case]
    pending = request(namespace="team-b", source_uid=source_uid, refreshPolicy=policy)
    assert reason(await access(pending, ClusterOfOneAnswer(now=OLD), uid="v1", created=created)) == expected


async def test_late_vm_of_the_own_namespace_is_served() -> None:
    assert reason(await access(request(), ClusterOfOneAnswer(now=OLD), uid="v1", created=LATE)) is None


async def test_late_vm_is_served_after_a_review() -> None:
    cluster = ClusterOfOneAnswer(now=OLD)
    pending = request(namespace="team-b", requester=ALICE)
    assert reason(await access(pending, cluster, uid="v1", created=LATE)) is None
    assert len(cluster.reviewed) == 1


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
async def test_request_that_ages_during_the_read_is_reviewed(namespace: str) -> None:
    cluster = ClusterOfOneAnswer(review=AccessReview(allowed=False))
    times = iter([NOW, OLD])
    cluster.now = lambda: next(times)
    assert reason(await access(request(namespace=namespace, requester=ALICE), cluster, uid="v1")) == "AccessRevoked"


async def test_vm_is_reviewed_once_per_reconcile() -> None:
    cluster = ClusterOfOneAnswer(now=OLD)
    assert (await access(request(requester=ALICE, source_uid="v1"), cluster, uid="v2")).denied is None
    assert len(cluster.reviewed) == 1


async def test_status_grants_no_access() -> None:
    posted = a_request(metadata={"uid": "1", "resourceVersion": "7", "creationTimestamp": CREATED})
    posted["spec"]["source"]["vmNamespace"] = "team-b"
    authorized = {"type": "Authorized", "status": "True", "reason": "PolicyInForce", "lastTransitionTime": CREATED}
    forged = parse_request(orjson.dumps(posted | {"status": {"conditions": [authorized]}}))
    assert reason(await access(forged, ClusterOfOneAnswer(admission.ABSENT))) == "CrossNamespaceDenied"


async def test_unserved_policies_are_unavailable() -> None:
    cluster = ClusterOfOneAnswer()

    async def policies() -> dict[str, PolicyObjects]:
        raise APINotFoundError("404")

    cluster.policies = policies
    with pytest.raises(UnavailableError):
        await access(request(), cluster)


async def test_unserved_reviews_are_unavailable() -> None:
    cluster = ClusterOfOneAnswer(review=APINotFoundError("404"), now=OLD)
    with pytest.raises(UnavailableError):
        await access(request(requester=ALICE), cluster)
