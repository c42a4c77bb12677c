"""What the controller makes of the admission policy that it finds."""

from collections.abc import Callable
from typing import Any

import pytest

from atmpl.controller.access import Verdict, judge
from atmpl.controller.policy import NAME
from tests.controller.admission import CREATED, binding, changed, policy

Edit = Callable[[dict[str, Any], dict[str, Any]], Any]  # of (policy, binding), which start as the API server shows them

POLICY: dict[str, tuple[Edit, Verdict]] = {
    "both as they are shipped": (lambda p, b: None, Verdict.IN_FORCE),
    "a label more on either, long ago": (
        lambda p, b: (p["metadata"].update(labels={"a": "b"}), b["metadata"].update(labels={"a": "b"})),
        Verdict.IN_FORCE,
    ),
    "no managedFields: its generation says that it was never changed": (
        lambda p, b: (p["metadata"].pop("managedFields"), b["metadata"].pop("managedFields")),
        Verdict.IN_FORCE,
    ),
    "a managedFields entry without a time, as an apply that changed nothing leaves it": (
        lambda p, b: p["metadata"]["managedFields"].append({"manager": "x", "operation": "Apply"}),
        Verdict.IN_FORCE,
    ),
    "managedFields entries that are no objects": (
        lambda p, b: p["metadata"]["managedFields"].extend([None, "x", 1]),
        Verdict.IN_FORCE,
    ),
    "no status yet, and never changed": (
        lambda p, b: (p.pop("status"), p["metadata"]["managedFields"].pop(0)),
        Verdict.IN_FORCE,
    ),
    "upgraded, long ago": (
        lambda p, b: changed(p, generation=2, observed=2, at="2026-11-24T05:00:09Z"),
        Verdict.IN_FORCE,
    ),
    "failurePolicy Ignore": (lambda p, b: p["spec"].update(failurePolicy="Ignore"), Verdict.POLICY_DIFFERS),
    "a matchCondition that spares somebody": (
        lambda p, b: p["spec"].update(matchConditions=[{"name": "x", "expression": "false"}]),
        Verdict.POLICY_DIFFERS,
    ),
    "a namespaceSelector": (
        lambda p, b: p["spec"]["matchConstraints"].update(namespaceSelector={"matchLabels": {"a": "b"}}),
        Verdict.POLICY_DIFFERS,
    ),
    "an excludeResourceRule": (
        lambda p, b: p["spec"]["matchConstraints"].update(
            excludeResourceRules=p["spec"]["matchConstraints"]["resourceRules"]
        ),
        Verdict.POLICY_DIFFERS,
    ),
    "operations without CREATE": (
        lambda p, b: p["spec"]["matchConstraints"]["resourceRules"][0].update(operations=["UPDATE"]),
        Verdict.POLICY_DIFFERS,
    ),
    "one resource more": (
        lambda p, b: p["spec"]["matchConstraints"]["resourceRules"][0]["resources"].append("pods"),
        Verdict.POLICY_DIFFERS,
    ),
    "a paramKind": (
        lambda p, b: p["spec"].update(paramKind={"apiVersion": "v1", "kind": "ConfigMap"}),
        Verdict.POLICY_DIFFERS,
    ),
    "an expression that is always true": (
        lambda p, b: p["spec"]["validations"][0].update(expression="true"),
        Verdict.POLICY_DIFFERS,
    ),
    "a validation fewer": (lambda p, b: p["spec"]["validations"].pop(), Verdict.POLICY_DIFFERS),
    "another variable": (
        lambda p, b: p["spec"]["variables"][0].update(expression="'mine'"),
        Verdict.POLICY_DIFFERS,
    ),
    "a field of a later Kubernetes": (lambda p, b: p["spec"].update(later="x"), Verdict.POLICY_DIFFERS),
    "no spec": (lambda p, b: p.pop("spec"), Verdict.POLICY_DIFFERS),
    "a spec that is a list": (lambda p, b: p.update(spec=[]), Verdict.POLICY_DIFFERS),
    "changed, and its status not yet written": (
        lambda p, b: changed(p, generation=3, observed=2, at="2026-11-24T05:00:00Z"),
        Verdict.POLICY_UNDATED,
    ),
    "changed, and no status at all": (
        lambda p, b: (p["metadata"].update(generation=2), p.pop("status")),
        Verdict.POLICY_UNDATED,
    ),
    "a generation that is no number": (lambda p, b: p["metadata"].update(generation="1"), Verdict.POLICY_UNDATED),
    "a generation that only equals 1": (lambda p, b: p["metadata"].update(generation=True), Verdict.POLICY_UNDATED),
    "no generation, no status": (
        lambda p, b: (p["metadata"].pop("generation"), p.pop("status")),
        Verdict.POLICY_UNDATED,
    ),
    "metadata that are no object": (lambda p, b: p.update(metadata="x"), Verdict.POLICY_UNDATED),
    "changed, and managedFields do not say when its status was": (
        lambda p, b: (
            changed(p, generation=2, observed=2, at="2026-11-24T05:00:00Z"),
            p["metadata"]["managedFields"].pop(0),
        ),
        Verdict.UNREADABLE,
    ),
    "created at no time": (lambda p, b: p["metadata"].pop("creationTimestamp"), Verdict.UNREADABLE),
    "created at a number": (lambda p, b: p["metadata"].update(creationTimestamp=0), Verdict.UNREADABLE),
    "created on a day": (lambda p, b: p["metadata"].update(creationTimestamp="2026-11-24"), Verdict.UNREADABLE),
    "managedFields that are an object": (lambda p, b: p["metadata"].update(managedFields={}), Verdict.UNREADABLE),
    "managedFields that are text": (lambda p, b: p["metadata"].update(managedFields="x"), Verdict.UNREADABLE),
    "changed, and managedFields have no time for its status": (
        lambda p, b: changed(p, generation=2, observed=2, at=None),
        Verdict.UNREADABLE,
    ),
    "a managedFields entry with a time that is none": (
        lambda p, b: p["metadata"]["managedFields"][1].update(time="yesterday"),
        Verdict.UNREADABLE,
    ),
}

BINDING: dict[str, tuple[Edit, Verdict]] = {
    "what the API server may fill in": (
        lambda p, b: b["spec"].update(
            matchResources={"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
        ),
        Verdict.IN_FORCE,
    ),
    "empty matchResources": (lambda p, b: b["spec"].update(matchResources={}), Verdict.IN_FORCE),
    "another policy's": (lambda p, b: b["spec"].update(policyName="other"), Verdict.BINDING_ELSEWHERE),
    "nobody's": (lambda p, b: b["spec"].pop("policyName"), Verdict.BINDING_ELSEWHERE),
    "no spec": (lambda p, b: b.pop("spec"), Verdict.BINDING_ELSEWHERE),
    "a spec that is text": (lambda p, b: b.update(spec="Deny"), Verdict.BINDING_ELSEWHERE),
    "Audit only": (lambda p, b: b["spec"].update(validationActions=["Audit"]), Verdict.BINDING_NOT_DENY),
    "Warn only": (lambda p, b: b["spec"].update(validationActions=["Warn"]), Verdict.BINDING_NOT_DENY),
    "Deny and Audit": (
        lambda p, b: b["spec"].update(validationActions=["Deny", "Audit"]),
        Verdict.BINDING_NOT_DENY,
    ),
    "no action": (lambda p, b: b["spec"].update(validationActions=[]), Verdict.BINDING_NOT_DENY),
    "actions that are text": (lambda p, b: b["spec"].update(validationActions="Deny"), Verdict.BINDING_NOT_DENY),
    "no validationActions": (lambda p, b: b["spec"].pop("validationActions"), Verdict.BINDING_NOT_DENY),
    "a namespaceSelector": (
        lambda p, b: b["spec"].update(matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
        Verdict.BINDING_NARROWED,
    ),
    "an objectSelector": (
        lambda p, b: b["spec"].update(matchResources={"objectSelector": {"matchLabels": {"a": "b"}}}),
        Verdict.BINDING_NARROWED,
    ),
    "excludeResourceRules": (
        lambda p, b: b["spec"].update(matchResources={"excludeResourceRules": [{"resourceNames": ["x"]}]}),
        Verdict.BINDING_NARROWED,
    ),
    "resourceRules": (
        lambda p, b: b["spec"].update(matchResources={"resourceRules": [{"resources": ["pods"]}]}),
        Verdict.BINDING_NARROWED,
    ),
    "matchPolicy Exact": (
        lambda p, b: b["spec"].update(matchResources={"matchPolicy": "Exact"}),
        Verdict.BINDING_NARROWED,
    ),
    "matchResources that are a list": (lambda p, b: b["spec"].update(matchResources=[]), Verdict.BINDING_NARROWED),
    "a paramRef": (
        lambda p, b: b["spec"].update(paramRef={"name": "x", "parameterNotFoundAction": "Allow"}),
        Verdict.BINDING_NARROWED,
    ),
    "a field of a later Kubernetes": (lambda p, b: b["spec"].update(later={}), Verdict.BINDING_NARROWED),
    "changed since it was created, though it leaves no trace in managedFields": (
        lambda p, b: b["metadata"].update(generation=3),
        Verdict.BINDING_CHANGED,
    ),
    "no generation": (lambda p, b: b["metadata"].pop("generation"), Verdict.BINDING_CHANGED),
    "a generation that only equals 1": (lambda p, b: b["metadata"].update(generation=1.0), Verdict.BINDING_CHANGED),
    "no metadata": (lambda p, b: b.pop("metadata"), Verdict.BINDING_CHANGED),
    "created at no time": (lambda p, b: b["metadata"].update(creationTimestamp=None), Verdict.UNREADABLE),
}

TIME: dict[str, tuple[str, Edit, Verdict]] = {  # the request's creation, what was done, and the verdict
    "11 s after the binding": ("2026-11-24T05:00:13Z", lambda p, b: None, Verdict.IN_FORCE),
    "10 s after the binding": ("2026-11-24T05:00:12Z", lambda p, b: None, Verdict.REQUEST_EARLIER),
    "before the binding": ("2026-11-24T04:00:00Z", lambda p, b: None, Verdict.REQUEST_EARLIER),
    "10 s after the policy": (
        CREATED,
        lambda p, b: p["metadata"].update(creationTimestamp="2026-11-24T05:00:10Z"),
        Verdict.REQUEST_EARLIER,
    ),
    "10 s after somebody wrote to the policy": (
        CREATED,
        lambda p, b: p["metadata"]["managedFields"].append({"manager": "x", "time": "2026-11-24T05:00:10Z"}),
        Verdict.REQUEST_EARLIER,
    ),
    "11 s after somebody wrote to the policy": (
        CREATED,
        lambda p, b: p["metadata"]["managedFields"].append({"manager": "x", "time": "2026-11-24T05:00:09Z"}),
        Verdict.IN_FORCE,
    ),
    "10 s after somebody wrote to the binding": (
        CREATED,
        lambda p, b: b["metadata"]["managedFields"].append({"manager": "x", "time": "2026-11-24T05:00:10Z"}),
        Verdict.REQUEST_EARLIER,
    ),
    "5 s after the status of a policy that was never changed": (CREATED, lambda p, b: None, Verdict.IN_FORCE),
    "10 s after the status of a policy that was changed": (
        CREATED,
        lambda p, b: changed(p, generation=3, observed=3, at="2026-11-24T05:00:10Z"),
        Verdict.REQUEST_EARLIER,
    ),
    "at no time": ("", lambda p, b: None, Verdict.UNREADABLE),
    "at no time that the API server writes": ("yesterday", lambda p, b: None, Verdict.UNREADABLE),
}


@pytest.mark.parametrize(("edit", "verdict"), POLICY.values(), ids=POLICY)
def test_a_policy_counts_only_as_it_is_shipped(edit: Edit, verdict: Verdict) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert judge(CREATED, p, b) is verdict


@pytest.mark.parametrize(("edit", "verdict"), BINDING.values(), ids=BINDING)
def test_a_binding_counts_only_where_it_spares_nobody(edit: Edit, verdict: Verdict) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert judge(CREATED, p, b) is verdict


@pytest.mark.parametrize(("created", "edit", "verdict"), TIME.values(), ids=TIME)
def test_a_request_counts_only_from_10_s_after_the_last_change(created: str, edit: Edit, verdict: Verdict) -> None:
    p, b = policy(), binding()
    edit(p, b)
    assert judge(created, p, b) is verdict


@pytest.mark.parametrize(
    ("p", "b", "verdict"),
    [
        (None, None, Verdict.POLICY_ABSENT),
        (None, binding(), Verdict.POLICY_ABSENT),
        (policy(), None, Verdict.BINDING_ABSENT),
        ({}, {}, Verdict.POLICY_DIFFERS),
    ],
)
def test_without_both_there_is_nothing_in_force(p: Any, b: Any, verdict: Verdict) -> None:
    assert judge(CREATED, p, b) is verdict


def test_only_one_verdict_lets_anybody_in() -> None:
    assert [verdict for verdict in Verdict if verdict.in_force] == [Verdict.IN_FORCE]


def test_every_refusal_says_what_to_do() -> None:
    for verdict in Verdict:
        if not verdict.in_force:
            assert verdict.message.endswith("delete this request and create it again")
            assert NAME in verdict.message
            assert len(verdict.message) < 512  # a status message ends at 1,024, and says more than this


def test_the_words_are_labels_of_a_metric() -> None:
    assert [verdict.word for verdict in Verdict] == [
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
