"""The status that follows from each outcome: conditions as in kstatus, times of transitions, no needless write."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Outcome,
    Postponed,
    Published,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    Source,
    SourceGone,
    UpToDate,
    source_gone,
)
from atmpl.controller.request import Request, parse_request
from atmpl.controller.status import next_status
from atmpl.template import RenderWarning
from atmpl.version import __version__

NOW = datetime(2024, 5, 6, 7, 8, 9, 999_999, tzinfo=UTC)
EARLIER = "2024-01-02T03:04:05Z"
ONCE: dict[str, Any] = {"source": {"vmName": "vm"}, "target": {"openshiftTemplate": {"name": "golden"}}}
ON_CHANGE = ONCE | {"refreshPolicy": "OnChange"}


def a_request(status: Any = None, *, spec: Any = ONCE, generation: int = 1) -> Request:
    metadata = {"name": "request", "namespace": "team-a", "uid": "1", "resourceVersion": "7", "generation": generation}
    return parse_request(orjson.dumps({"metadata": metadata, "spec": spec, "status": status or {}}))


def condition(type: str, status: str, reason: str, message: str, since: str, *, generation: int = 1) -> dict[str, Any]:
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }


RENDERED_FROM = "Template team-a/golden was rendered from VM team-a/vm"
MADE = f"{RENDERED_FROM}. It now belongs to its users: the controller no longer changes it"
KEPT = f"{RENDERED_FROM}, and is refreshed when the VM changes"
STAYS = f"{RENDERED_FROM}, which was deleted (SourceGone). The template is not changed"
NAMED = {"namespace": "team-a", "name": "vm"}
NOT_FOUND = Blocked(Reason.SOURCE_NOT_FOUND, "There is no VM")
SHARED = RenderWarning("SharedDataVolumes", "Every VM uses the same.", "spec.dataVolumeTemplates")
RENDERED = Rendered(Source("v1", 4, "55"), Published("t1", "66"), 3, (SHARED,), digest="", written=True)

FRESH_READY = {
    "source": NAMED | {"uid": "v1", "generation": 4, "resourceVersion": "55"},
    "templateRef": {"apiVersion": "template.openshift.io/v1", "kind": "Template", "name": "golden", "uid": "t1"},
    "parameterCount": 3,
    "warnings": [
        {"reason": "SharedDataVolumes", "message": "Every VM uses the same.", "path": "spec.dataVolumeTemplates"}
    ],
    "lastRenderTime": "2024-05-06T07:08:09Z",
    "completionTime": "2024-05-06T07:08:09Z",
    "observedGeneration": 1,
    "conditions": [condition("Ready", "True", "Rendered", MADE, "2024-05-06T07:08:09Z")],
}
READY = FRESH_READY | {
    "lastRenderTime": EARLIER,
    "completionTime": EARLIER,
    "conditions": [condition("Ready", "True", "Rendered", MADE, EARLIER)],
}
IN_STEP = {field: value for field, value in READY.items() if field != "completionTime"} | {
    "conditions": [condition("Ready", "True", "Rendered", KEPT, EARLIER)],
    "rendered": {"digest": "d1", "templateResourceVersion": "66"},
}
GONE = {
    "reason": "SourceGone",
    "message": source_gone(ObjectKey("team-a", "vm")).message,
    "path": "",
}
IN_STEP_GONE = IN_STEP | {
    "conditions": [condition("Ready", "True", "Rendered", STAYS, EARLIER)],
    "warnings": [*IN_STEP["warnings"], GONE],
}
REFUSED = {
    "source": NAMED,
    "observedGeneration": 1,
    "conditions": [
        condition("Ready", "False", "InvalidSource", "no", EARLIER),
        condition("Stalled", "True", "InvalidSource", "no", EARLIER),
    ],
}
FAILED = {
    "source": NAMED,
    "observedGeneration": 1,
    "conditions": [condition("Ready", "False", "Failed", "no answer", EARLIER)],
}


def without(status: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in status.items() if key != field}


def fresh(reason: str, message: str, *, stalled: bool = False) -> dict[str, Any]:
    conditions = [condition("Ready", "False", reason, message, "2024-05-06T07:08:09Z")]
    if stalled:
        conditions.append(condition("Stalled", "True", reason, message, "2024-05-06T07:08:09Z"))
    return {"source": NAMED, "observedGeneration": 1, "conditions": conditions}


OTHER = {
    "type": "example.com/Approved",
    "status": "True",
    "reason": "ByHand",
    "message": "m" * 9000,
    "lastTransitionTime": EARLIER,
}


CASES: dict[str, tuple[Request, Outcome, dict[str, Any] | None]] = {
    # a fresh request
    "rendered": (a_request(), RENDERED, FRESH_READY),
    "rendered, to be kept in step": (
        a_request(spec=ON_CHANGE),
        replace(RENDERED, digest="d1"),
        without(FRESH_READY, "completionTime")
        | {
            "conditions": [condition("Ready", "True", "Rendered", KEPT, "2024-05-06T07:08:09Z")],
            "rendered": {"digest": "d1", "templateResourceVersion": "66"},
        },
    ),
    "no VM": (a_request(), NOT_FOUND, fresh("SourceNotFound", "There is no VM")),
    "a template in the way": (
        a_request(),
        Blocked(Reason.TARGET_CONFLICT, "taken", requeue_after=60.0),
        fresh("TargetConflict", "taken", stalled=True),
    ),
    "a format that is not served": (
        a_request(),
        Blocked(Reason.FORMAT_UNAVAILABLE, "not served"),
        fresh("FormatUnavailable", "not served"),
    ),
    "denied": (
        a_request(),
        Rejected(Reason.CROSS_NAMESPACE_DENIED, "may not"),
        fresh("CrossNamespaceDenied", "may not", stalled=True),
    ),
    "an invalid VM": (
        a_request(),
        Rejected(Reason.INVALID_SOURCE, "spec: no"),
        fresh("InvalidSource", "spec: no", stalled=True),
    ),
    "too large": (a_request(), Rejected(Reason.TOO_LARGE, "much"), fresh("TooLarge", "much", stalled=True)),
    "unsupported": (
        a_request(spec={"vmName": "VM"}),
        Rejected(Reason.UNSUPPORTED, "later"),
        {field: value for field, value in fresh("Unsupported", "later", stalled=True).items() if field != "source"},
    ),
    "forbidden": (a_request(), Retry(Reason.FORBIDDEN, "may not"), fresh("Forbidden", "may not")),
    "failed": (a_request(), Retry(Reason.FAILED, "no answer", 3.0), fresh("Failed", "no answer")),
    "moved": (a_request(), Conflict("template"), None),
    "postponed": (a_request(), Postponed(), None),
    "gone": (a_request(), RequestGone(requeue_after=60.0), None),
    "unchanged, without a status": (a_request(), UpToDate(), None),
    # one that waits, was refused or failed
    "still no VM": (
        a_request(
            {
                "source": NAMED,
                "observedGeneration": 1,
                "conditions": [condition("Ready", "False", "SourceNotFound", "There is no VM", EARLIER)],
            }
        ),
        NOT_FOUND,
        None,
    ),
    "failed, and then there is no VM": (
        a_request(FAILED),
        NOT_FOUND,
        {
            "source": NAMED,
            "observedGeneration": 1,
            "conditions": [condition("Ready", "False", "SourceNotFound", "There is no VM", EARLIER)],
        },
    ),
    "failed again, with other words": (
        a_request(FAILED),
        Retry(Reason.FAILED, "no route"),
        {
            "source": NAMED,
            "observedGeneration": 1,
            "conditions": [condition("Ready", "False", "Failed", "no route", EARLIER)],
        },
    ),
    "refused, and refused again": (a_request(REFUSED), Rejected(Reason.INVALID_SOURCE, "no"), None),
    "refused, and then failed: retrying helps, so it is stalled no more": (
        a_request(REFUSED),
        Retry(Reason.FAILED, "no answer"),
        FAILED,
    ),
    "refused, and then rendered": (a_request(REFUSED), RENDERED, FRESH_READY),
    # one that is rendered
    "adopted: written by an earlier try": (
        a_request(),
        replace(RENDERED, written=False),
        FRESH_READY,
    ),
    "rendered again, with nothing new": (
        a_request(IN_STEP, spec=ON_CHANGE),
        Rendered(Source("v1", 4, "55"), Published("t1", "66"), 3, (SHARED,), digest="d1", written=False),
        None,
    ),
    "rendered again, the VM changed": (
        a_request(IN_STEP, spec=ON_CHANGE),
        Rendered(Source("v1", 5, "57"), Published("t1", "68"), 4, (), digest="d2", written=True),
        IN_STEP
        | {
            "source": NAMED | {"uid": "v1", "generation": 5, "resourceVersion": "57"},
            "parameterCount": 4,
            "warnings": [],
            "lastRenderTime": "2024-05-06T07:08:09Z",
            "rendered": {"digest": "d2", "templateResourceVersion": "68"},
        },
    ),
    "rendered again, the template had been labelled": (
        a_request(IN_STEP, spec=ON_CHANGE),
        Rendered(Source("v1", 4, "55"), Published("t1", "70"), 3, (SHARED,), digest="d1", written=False),
        IN_STEP | {"rendered": {"digest": "d1", "templateResourceVersion": "70"}},
    ),
    "in step, and the VM is deleted": (
        a_request(IN_STEP, spec=ON_CHANGE),
        SourceGone(ObjectKey("team-a", "vm")),
        IN_STEP_GONE,
    ),
    "the VM is still deleted": (
        a_request(IN_STEP_GONE, spec=ON_CHANGE),
        SourceGone(ObjectKey("team-a", "vm")),
        None,
    ),
    "the VM was deleted, and is there again, but no good": (
        a_request(IN_STEP | {"warnings": [GONE]}, spec=ON_CHANGE),
        Rejected(Reason.INVALID_SOURCE, "no"),
        IN_STEP
        | {
            "warnings": [],
            "conditions": [
                condition("Ready", "False", "InvalidSource", "no", "2024-05-06T07:08:09Z"),
                condition("Stalled", "True", "InvalidSource", "no", "2024-05-06T07:08:09Z"),
            ],
        },
    ),
    "in step, and then there is no answer": (
        a_request(IN_STEP | {"warnings": [GONE]}, spec=ON_CHANGE),
        Retry(Reason.FAILED, "no answer"),
        IN_STEP
        | {
            "warnings": [GONE],
            "conditions": [condition("Ready", "False", "Failed", "no answer", "2024-05-06T07:08:09Z")],
        },
    ),
    "let go: finished from now on, which is what a TTL counts from": (
        a_request(IN_STEP | {"warnings": [SHARED._asdict(), GONE]}, generation=2),
        Detached(),
        READY
        | {
            "completionTime": "2024-05-06T07:08:09Z",
            "observedGeneration": 2,
            "conditions": [condition("Ready", "True", "Rendered", MADE, EARLIER, generation=2)],
        },
    ),
    "rendered as Once, after it had failed under OnChange: there is nothing to let go": (
        a_request(
            IN_STEP | {"conditions": [condition("Ready", "False", "Failed", "no answer", EARLIER)]},
            generation=2,
        ),
        RENDERED,
        FRESH_READY
        | {
            "observedGeneration": 2,
            "conditions": [condition("Ready", "True", "Rendered", MADE, "2024-05-06T07:08:09Z", generation=2)],
        },
    ),
    "a template that cannot be let go now stays its user's": (
        a_request(IN_STEP, generation=2),
        Retry(Reason.FAILED, "no answer"),
        None,
    ),
    # one that is finished
    "finished": (a_request(READY), UpToDate(requeue_after=60.0), None),
    "a deletion that failed takes nothing back": (a_request(READY), Retry(Reason.FORBIDDEN, "may not"), None),
    "nor does anything else": (a_request(READY), Rejected(Reason.TOO_LARGE, "much"), None),
    "nor that": (a_request(READY), NOT_FOUND, None),
    "another generation, with nothing to do": (
        a_request(
            READY
            | {
                "conditions": [
                    *READY["conditions"],
                    condition("Authorized", "True", "PolicyInForce", "yes", EARLIER),
                    OTHER,
                ]
            },
            generation=2,
        ),
        UpToDate(requeue_after=60.0),
        READY
        | {
            "observedGeneration": 2,
            "conditions": [
                condition("Ready", "True", "Rendered", MADE, EARLIER, generation=2),
                OTHER,
            ],
        },
    ),
    "another generation, which this version does not understand": (
        a_request(READY, spec={"vmName": "VM"}, generation=2),
        UpToDate(),
        None,
    ),
    # fields of another version
    "what another version wrote stays": (
        a_request(FAILED | {"progress": 7}),
        Retry(Reason.FAILED, "no route"),
        FAILED | {"progress": 7, "conditions": [condition("Ready", "False", "Failed", "no route", EARLIER)]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_status_follows_from_the_outcome(case: str) -> None:
    request, outcome, expected = CASES[case]
    assert next_status(request, outcome, NOW) == expected


WRITTEN = [case for case in CASES if CASES[case][2] is not None]


@pytest.mark.parametrize("case", WRITTEN)
def test_same_outcome_writes_no_second_status(case: str) -> None:
    request, outcome, written = CASES[case]
    spec = orjson.loads(orjson.dumps(ON_CHANGE if request.spec and request.spec.refresh_on_change else ONCE))
    again = a_request(
        orjson.loads(orjson.dumps(written)),
        spec=spec if request.spec else {"vmName": "VM"},
        generation=request.generation,
    )
    later = NOW.replace(year=2025)
    if isinstance(outcome, Rendered):
        outcome = replace(outcome, written=False)
    assert next_status(again, outcome, later) is None


def test_conditions_of_other_writers_are_carried_over() -> None:
    authorized = condition("Authorized", "True", "PolicyInForce", "forged", EARLIER)
    for before in (
        {"conditions": [OTHER, authorized]},
        FAILED | {"conditions": [authorized, *FAILED["conditions"], OTHER]},
    ):
        status = next_status(a_request(before), RENDERED, NOW)
        assert status is not None
        assert [each["type"] for each in status["conditions"]] == ["Ready", "example.com/Approved"]
        assert status["conditions"][1] == OTHER


def test_conditions_stay_within_the_limit_of_the_crd() -> None:
    others = [OTHER | {"type": f"example.com/{number}"} for number in range(16)]
    status = next_status(a_request({"conditions": others}), Rejected(Reason.TOO_LARGE, "much"), NOW)
    assert status is not None
    assert [each["type"] for each in status["conditions"][:2]] == ["Ready", "Stalled"]
    assert len(status["conditions"]) == 16


def test_refused_digest_is_kept_until_the_request_is_rendered() -> None:
    refused = next_status(a_request(), Rejected(Reason.INVALID_SOURCE, "no", refused_digest="d9"), NOW)
    assert refused is not None
    assert refused["refused"] == {"digest": f"{__version__} d9"}
    failed = next_status(a_request(refused), Retry(Reason.FAILED, "no answer"), NOW)
    assert failed is not None
    assert failed["refused"] == {"digest": f"{__version__} d9"}
    for outcome in (RENDERED, NOT_FOUND):
        later = next_status(a_request(refused), outcome, NOW)
        assert later is not None
        assert "refused" not in later


def test_messages_and_paths_have_no_control_characters() -> None:
    warning = RenderWarning("InlineSecret", "a\x1b[31mb", "spec.x[\u202e]")
    status = next_status(a_request(), replace(RENDERED, warnings=(warning,)), NOW)
    assert status is not None
    assert status["warnings"] == [{"reason": "InlineSecret", "message": "a\\u001b[31mb", "path": "spec.x[\\u202e]"}]


@pytest.mark.parametrize(
    ("length", "expected"), [(1024, "x" * 1024), (1025, "x" * 1023 + "…"), (9000, "x" * 1023 + "…")]
)
def test_message_is_cut_at_1024_characters(length: int, expected: str) -> None:
    status = next_status(a_request(), Rejected(Reason.INVALID_SOURCE, "x" * length), NOW)
    assert status is not None
    assert [each["message"] for each in status["conditions"]] == [expected, expected]


def test_warnings_are_cut_at_100() -> None:
    many = tuple(RenderWarning("LiteralNumber", "m" * 2000, "p" * 2000) for _ in range(150))
    rendered = Rendered(Source("v1", 4, "55"), Published("t1", "66"), 3, many, digest="d1", written=True)
    status = next_status(a_request(spec=ON_CHANGE), rendered, NOW)
    assert status is not None
    each = {"reason": "LiteralNumber", "message": "m" * 1023 + "…", "path": "p" * 1023 + "…"}
    last = each | {"message": "And 51 more. " + "m" * 1010 + "…"}
    assert status["warnings"] == [each] * 99 + [last]
    gone = next_status(a_request(status, spec=ON_CHANGE), SourceGone(ObjectKey("team-a", "vm")), NOW)
    assert gone is not None
    assert [warning["reason"] for warning in gone["warnings"]] == ["LiteralNumber"] * 99 + ["SourceGone"]
    assert next_status(a_request(gone, spec=ON_CHANGE), SourceGone(ObjectKey("team-a", "vm")), NOW) is None


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)
statuses = json | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("conditions", "warnings", "rendered", "source", "observedGeneration"),
        json | st.lists(json | st.fixed_dictionaries({}, optional={"type": json, "status": json, "reason": json})),
    ),
)
outcomes = st.sampled_from(
    [
        RENDERED,
        SourceGone(ObjectKey("a", "b")),
        Detached(),
        NOT_FOUND,
        Rejected(Reason.TOO_LARGE, "much"),
        Retry(Reason.FAILED, "no"),
        UpToDate(),
    ]
)


@given(status=statuses, outcome=outcomes, spec=st.sampled_from([ONCE, ON_CHANGE]))
def test_any_old_status_has_a_next_one(status: Any, outcome: Outcome, spec: Any) -> None:
    written = next_status(a_request(status, spec=spec, generation=3), outcome, NOW)
    assert written is None or orjson.dumps(written)
