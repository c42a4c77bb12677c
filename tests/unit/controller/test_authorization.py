"""What the controller makes of the admission policy that it finds."""

from collections.abc import Callable
from typing import Any

import pytest

from atmpl.controller.admission_policy import NAME
from atmpl.controller.authorization import PolicyCheck, judge
from tests.support.admission import CREATED, binding, changed, policy

Edit = Callable[[dict[str, Any], dict[str, Any]], Any]  # of (policy, binding), which start as the API server shows them

POLICY: dict[str, tuple[Edit, PolicyCheck]] = {
    "both as they are shipped": (lambda p, b: None, PolicyCheck.IN_FORCE),
    "a label more on either, long ago": (
        lambda p, b: (p["metadata"].update(labels={"a": "b"}), b["metadata"].update(labels={"a": "b"})),
        PolicyCheck.IN_FORCE,
    ),
    "no managedFields: its generation says that it was never changed": (
        lambda p, b: (p["metadata"].pop("managedFields"), b["metadata"].pop("managedFields")),
        PolicyCheck.IN_FORCE,
    ),
    "a managedFields entry without a time, as an apply that changed nothing leaves it": (
        lambda p, b: p["metadata"]["managedFields"].append({"manager": "x", "operation": "Apply"}),
        PolicyCheck.IN_FORCE,
    ),
    "managedFields entries that are no objects": (
        lambda p, b: p["metadata"]["managedFields"].extend([None, "x", 1]),
        PolicyCheck.IN_FORCE,
    ),
    "no status yet, and never changed": (
        lambda p, b: (p.pop("status"), p["metadata"]["managedFields"].pop(0)),
        PolicyCheck.IN_FORCE,
    ),
    "upgraded, long ago": (
        lambda p, b: changed(p, generation=2, observed=2, at="2026-11-24T05:00:09Z"),
        PolicyCheck.IN_FORCE,
    ),
    "failurePolicy Ignore": (lambda p, b: p["spec"].update(failurePolicy="Ignore"), PolicyCheck.POLICY_DIFFERS),
    "a matchCondition that spares somebody": (
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
    "changed, and its status not yet written": (
        lambda p, b: changed(p, generation=3, observed=2, at="2026-11-24T05:00:00Z"),
        PolicyCheck.POLICY_UNDATED,
    ),
    "changed, and no status at all": (
        lambda p, b: (p["metadata"].update(generation=2), p.pop("status")),
        PolicyCheck.POLICY_UNDATED,
    ),
    "a generation that is no number": (lambda p, b: p["metadata"].update(generation="1"), PolicyCheck.POLICY_UNDATED),
    "a generation that only equals 1": (lambda p, b: p["metadata"].update(generation=True), PolicyCheck.POLICY_UNDATED),
    "no generation, no status": (
        lambda p, b: (p["metadata"].pop("generation"), p.pop("status")),
        PolicyCheck.POLICY_UNDATED,
    ),
    "metadata that are no object": (lambda p, b: p.update(metadata="x"), PolicyCheck.POLICY_UNDATED),
    "changed, and managedFields do not say when its status was": (
        lambda p, b: (
            changed(p, generation=2, observed=2, at="2026-11-24T05:00:00Z"),
            p["metadata"]["managedFields"].pop(0),
        ),
        PolicyCheck.UNREADABLE,
    ),
    "created at no time": (lambda p, b: p["metadata"].pop("creationTimestamp"), PolicyCheck.UNREADABLE),
    "created at a number": (lambda p, b: p["metadata"].update(creationTimestamp=0), PolicyCheck.UNREADABLE),
    "created on a day": (lambda p, b: p["metadata"].update(creationTimestamp="2026-11-24"), PolicyCheck.UNREADABLE),
    "managedFields that are an object": (lambda p, b: p["metadata"].update(managedFields={}), PolicyCheck.UNREADABLE),
    "managedFields that are text": (lambda p, b: p["metadata"].update(managedFields="x"), PolicyCheck.UNREADABLE),
    "changed, and managedFields have no time for its status": (
        lambda p, b: changed(p, generation=2, observed=2, at=None),
        PolicyCheck.UNREADABLE,
    ),
    "a managedFields entry with a time that is none": (
        lambda p, b: p["metadata"]["managedFields"][1].update(time="yesterday"),
        PolicyCheck.UNREADABLE,
    ),
}

BINDING: dict[str, tuple[Edit, PolicyCheck]] = {
    "what the API server may fill in": (
        lambda p, b: b["spec"].update(
            matchResources={"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
        ),
        PolicyCheck.IN_FORCE,
    ),
    "empty matchResources": (lambda p, b: b["spec"].update(matchResources={}), PolicyCheck.IN_FORCE),
    "another policy's": (lambda p, b: b["spec"].update(policyName="other"), PolicyCheck.BINDING_ELSEWHERE),
    "nobody's": (lambda p, b: b["spec"].pop("policyName"), PolicyCheck.BINDING_ELSEWHERE),
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
    "changed since it was created, though it leaves no trace in managedFields": (
        lambda p, b: b["metadata"].update(generation=3),
        PolicyCheck.BINDING_CHANGED,
    ),
    "no generation": (lambda p, b: b["metadata"].pop("generation"), PolicyCheck.BINDING_CHANGED),
    "a generation that only equals 1": (lambda p, b: b["metadata"].update(generation=1.0), PolicyCheck.BINDING_CHANGED),
    "no metadata": (lambda p, b: b.pop("metadata"), PolicyCheck.BINDING_CHANGED),
    "created at no time": (lambda p, b: b["metadata"].update(creationTimestamp=None), PolicyCheck.UNREADABLE),
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
    "10 s after somebody wrote to the policy": (
        CREATED,
        lambda p, b: p["metadata"]["managedFields"].append({"manager": "x", "time": "2026-11-24T05:00:10Z"}),
        PolicyCheck.REQUEST_EARLIER,
    ),
    "11 s after somebody wrote to the policy": (
        CREATED,
        lambda p, b: p["metadata"]["managedFields"].append({"manager": "x", "time": "2026-11-24T05:00:09Z"}),
        PolicyCheck.IN_FORCE,
    ),
    "10 s after somebody wrote to the binding": (
        CREATED,
        lambda p, b: b["metadata"]["managedFields"].append({"manager": "x", "time": "2026-11-24T05:00:10Z"}),
        PolicyCheck.REQUEST_EARLIER,
    ),
    "5 s after the status of a policy that was never changed": (CREATED, lambda p, b: None, PolicyCheck.IN_FORCE),
    "10 s after the status of a policy that was changed": (
        CREATED,
        lambda p, b: changed(p, generation=3, observed=3, at="2026-11-24T05:00:10Z"),
        PolicyCheck.REQUEST_EARLIER,
    ),
    "at no time": ("", lambda p, b: None, PolicyCheck.UNREADABLE),
    "at no time that the API server writes": ("yesterday", lambda p, b: None, PolicyCheck.UNREADABLE),
}


@pytest.mark.parametrize(("edit", "verdict"), POLICY.values(), ids=POLICY)
def test_a_policy_counts_only_as_it_is_shipped(edit: Edit, verdict: PolicyCheck) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert judge(CREATED, p, b) is verdict


@pytest.mark.parametrize(("edit", "verdict"), BINDING.values(), ids=BINDING)
def test_a_binding_counts_only_where_it_spares_nobody(edit: Edit, verdict: PolicyCheck) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert judge(CREATED, p, b) is verdict


@pytest.mark.parametrize(("created", "edit", "verdict"), TIME.values(), ids=TIME)
def test_a_request_counts_only_from_10_s_after_the_last_change(created: str, edit: Edit, verdict: PolicyCheck) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert judge(created, p, b) is verdict


@pytest.mark.parametrize(
    ("p", "b", "verdict"),
    [
        (None, None, PolicyCheck.POLICY_ABSENT),
        (None, binding(), PolicyCheck.POLICY_ABSENT),
        (policy(), None, PolicyCheck.BINDING_ABSENT),
        ({}, {}, PolicyCheck.POLICY_DIFFERS),
    ],
)
def test_without_both_there_is_nothing_in_force(p: Any, b: Any, verdict: PolicyCheck) -> None:
    assert judge(CREATED, p, b) is verdict


def test_only_one_verdict_lets_anybody_in() -> None:
    assert [verdict for verdict in PolicyCheck if verdict.in_force] == [PolicyCheck.IN_FORCE]


def test_every_refusal_says_what_to_do() -> None:
    for verdict in PolicyCheck:
        if not verdict.in_force:
            assert verdict.message.endswith("delete this request and create it again")
            assert NAME in verdict.message
            assert len(verdict.message) < 512  # a status message ends at 1,024, and says more than this


def test_the_words_are_labels_of_a_metric() -> None:
    assert [verdict.word for verdict in PolicyCheck] == [
        "in_force",
        "policy_absent",
        "policy_differs",
        "policy_undated",
        "binding_absent",
        "binding_elsewhere",
        "binding_not_deny",
        "binding_narrowed",
        "binding_changed",
        "request_earlier",
        "unreadable",
    ]
