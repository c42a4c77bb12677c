"""What a reconcile can find: each outcome has one word, and a server that asks for peace gets it for a while."""

from typing import get_args

import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Outcome,
    Published,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    Source,
    SourceGone,
    UpToDate,
    label,
    should_suppress_status,
    source_gone,
)

RENDERED = Rendered(Source("1", 1, "1"), Published("2", "2"), 4, (), digest="", written=True)
WORDS: dict[str, Outcome] = {
    "Rendered": RENDERED,
    "SourceGone": SourceGone(ObjectKey("team-a", "vm")),
    "Released": Detached(),
    "SourceNotFound": Blocked(Reason.SOURCE_NOT_FOUND, ""),
    "TargetConflict": Blocked(Reason.TARGET_CONFLICT, "", 60.0),
    "InvalidSource": Rejected(Reason.INVALID_SOURCE, ""),
    "Forbidden": Retry(Reason.FORBIDDEN, ""),
    "Failed": Retry(Reason.FAILED, ""),
    "Moved": Conflict("request"),
    "Unchanged": UpToDate(60.0),
    "Gone": RequestGone(),
}


@pytest.mark.parametrize("word", WORDS)
def test_an_outcome_has_one_word_its_reason_where_it_has_one(word: str) -> None:
    assert label(WORDS[word]) == word


def test_there_is_no_other_outcome() -> None:
    assert {type(outcome) for outcome in WORDS.values()} == set(get_args(Outcome))


QUIET_RETRIES: dict[str, tuple[Outcome, int, bool]] = {
    "asked to be left alone": (Retry(Reason.FAILED, "", 7.0), 0, True),
    "asked the third time": (Retry(Reason.FAILED, "", 7.0), 2, True),
    "asked the fourth time: somebody should know": (Retry(Reason.FAILED, "", 7.0), 3, False),
    "failed without a word": (Retry(Reason.FAILED, ""), 0, False),
    "nothing that failed": (Blocked(Reason.TARGET_CONFLICT, "", 60.0), 0, False),
}


@pytest.mark.parametrize("sentence", QUIET_RETRIES)
def test_only_a_server_that_asks_to_be_left_alone_is_spared(sentence: str) -> None:
    outcome, failures, spared = QUIET_RETRIES[sentence]
    assert should_suppress_status(outcome, failures) == spared


def test_that_a_source_is_gone_is_said_with_what_to_do() -> None:
    message = (
        "VM team-a/vm is deleted; the template stays as it was last rendered. Nothing needs doing: if a VM of that name "
        "comes back, the template follows it"
    )
    assert source_gone(ObjectKey("team-a", "vm")) == ("SourceGone", message, "")
