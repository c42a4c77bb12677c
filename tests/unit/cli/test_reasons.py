"""Every reason of a request has its advice."""

from atmpl.cli.wait import ADVICE, NO_STATUS, advice
from atmpl.controller.outcome import Reason


def test_every_reason_has_its_advice():
    assert set(ADVICE) == set(Reason)


def test_each_remedy_deletes_at_most_one_object():
    """A user who pastes all commands of a remedy follows one alternative."""
    remedies = [remedy for each in ADVICE.values() for remedy in each.remedies]
    deletes = {remedy.text: sum(line.startswith("delete ") for line in remedy.commands) for remedy in remedies}
    assert {text: number for text, number in deletes.items() if number > 1} == {}


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
