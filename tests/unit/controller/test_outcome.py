"""The outcomes of a reconcile and the consequences that their types declare."""

import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    EventType,
    Outcome,
    Postponed,
    Published,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Requeue,
    Result,
    Retry,
    Source,
    SourceGone,
    UpToDate,
    outcome_names,
)

RENDERED = Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="", written=True)
VM = ObjectKey("team-a", "vm")
OUTCOMES: dict[str, tuple[Outcome, Result, Requeue, EventType | None]] = {
    "Rendered": (RENDERED, Result.SUCCESS, Requeue.FORGET, EventType.NORMAL),
    "SourceGone": (SourceGone(VM), Result.SUCCESS, Requeue.FORGET, EventType.NORMAL),
    "Detached": (Detached(), Result.SUCCESS, Requeue.FORGET, EventType.NORMAL),
    "SourceNotFound": (Blocked(Reason.SOURCE_NOT_FOUND, ""), Result.SUCCESS, Requeue.FORGET, EventType.WARNING),
    "TargetConflict": (
        Blocked(Reason.TARGET_CONFLICT, "", requeue_after=60.0),
        Result.REQUEUE_AFTER,
        Requeue.FORGET,
        EventType.WARNING,
    ),
    "InvalidSource": (Rejected(Reason.INVALID_SOURCE, ""), Result.SUCCESS, Requeue.FORGET, EventType.WARNING),
    "Forbidden": (Retry(Reason.FORBIDDEN, ""), Result.ERROR, Requeue.BACKOFF, EventType.WARNING),
    "Conflict": (Conflict("request"), Result.REQUEUE, Requeue.CONFLICT, None),
    "Postponed": (Postponed(), Result.REQUEUE, Requeue.IMMEDIATE, None),
    "UpToDate": (UpToDate(requeue_after=60.0), Result.REQUEUE_AFTER, Requeue.FORGET, None),
    "RequestGone": (RequestGone(requeue_after=60.0), Result.SUCCESS, Requeue.FORGET, None),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome_declares_its_consequences(name: str) -> None:
    outcome, result, requeue, event = OUTCOMES[name]
    assert (outcome.name, outcome.result, outcome.requeue, outcome.event) == (name, result, requeue, event)
    assert name in set(outcome_names())


QUIET: dict[str, tuple[Outcome, int, bool]] = {
    "first Retry-After": (Retry(Reason.FAILED, "", 7.0), 0, True),
    "third Retry-After": (Retry(Reason.FAILED, "", 7.0), 2, True),
    "fourth Retry-After": (Retry(Reason.FAILED, "", 7.0), 3, False),
    "failure without Retry-After": (Retry(Reason.FAILED, ""), 0, False),
    "no failed call": (Blocked(Reason.TARGET_CONFLICT, "", requeue_after=60.0), 0, False),
}


@pytest.mark.parametrize("case", QUIET)
def test_only_retry_after_suppresses_the_status(case: str) -> None:
    outcome, failures, quiet = QUIET[case]
    assert outcome.is_quiet(failures) == quiet


STALLED = {
    "TargetConflict",
    "PolicyMissing",
    "CrossNamespaceDenied",
    "AccessRevoked",
    "InvalidSource",
    "TooLarge",
    "Unsupported",
}


def test_reasons_that_need_a_user_are_stalled() -> None:
    assert {str(reason) for reason in Reason if reason.is_stalled} == STALLED


def test_message_has_no_control_characters() -> None:
    assert Blocked(Reason.TARGET_CONFLICT, "a\x1b[31m\nb").message == "a\\u001b[31m\\u000ab"
