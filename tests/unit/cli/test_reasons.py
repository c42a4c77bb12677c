"""Every reason of a request has its advice."""

import re
from pathlib import Path

import pytest

from atmpl.cli.wait import ADVICE, NO_STATUS, advice
from atmpl.controller import authorization, ownership
from atmpl.controller.outcome import Reason

CONFIG_README = Path(__file__).parents[3] / "config" / "README.md"
RECHECKS = {
    Reason.TARGET_CONFLICT: ownership.RECHECK_SECONDS,
    Reason.POLICY_MISSING: authorization.POLICY_RECHECK_SECONDS,
    Reason.ACCESS_REVOKED: authorization.ACCESS_RECHECK_SECONDS,
}


def test_every_reason_has_its_advice():
    assert set(ADVICE) == set(Reason)


@pytest.mark.parametrize("reason", RECHECKS)
def test_advice_and_documentation_have_the_interval_of_checks(reason: Reason):
    advised = " ".join(remedy.text for remedy in ADVICE[reason].remedies)
    [documented] = re.findall(rf"^\| `{reason}` \|.*", CONFIG_README.read_text(), re.MULTILINE)
    for text in (advised, documented):
        [minutes] = re.findall(r"the request\s+continues within (a|\d+) minutes?", text)
        assert 60.0 * (1 if minutes == "a" else int(minutes)) == RECHECKS[reason]


def test_each_remedy_deletes_at_most_one_object():
    """A user who pastes all commands of a remedy follows one alternative."""
    remedies = [remedy for each in ADVICE.values() for remedy in each.remedies]
    deletes = {remedy.text: sum(line.startswith("delete ") for line in remedy.commands) for remedy in remedies}
    assert {text: number for text, number in deletes.items() if number > 1} == {}


def test_advice_does_not_ask_for_a_policy_that_is_in_force():
    """The controller's message asks for the policy if it is absent or differs."""
    advised = ADVICE[Reason.CROSS_NAMESPACE_DENIED]
    assert advised.quotes_message
    assert [remedy for remedy in advised.remedies if "config/policy" in remedy.text] == []


def test_missing_reason_means_no_status():
    assert advice("") is NO_STATUS


def test_sentence_fits_a_line_beside_the_spinner():
    spinner = len("⠋ 59 s  waiting: ")
    names = {
        "vm": "fedora-1",
        "there": "",
        "kind": "template",
        "template": "fedora-1-template",
        "api": "template.openshift.io/v1",
    }
    waiting = ("", Reason.SOURCE_NOT_FOUND, Reason.TARGET_CONFLICT, Reason.FORMAT_UNAVAILABLE, Reason.FORBIDDEN)
    texts = {reason: advice(reason).sentence.format(**names) for reason in waiting}
    assert {reason: text for reason, text in texts.items() if spinner + len(text) > 95} == {}
