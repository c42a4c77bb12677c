"""A typo gets a suggestion."""

import pytest

from atmpl.cli.parser import nearest

NAMES = ["DISK0_BUS", "REQUESTS_MEMORY", "VOLUME0_IMAGE", "LABELS"]

MEANT = {
    "a letter too few": ("REQUEST_MEMORY", "REQUESTS_MEMORY"),
    "another case": ("labels", "LABELS"),
    "as the description has it": ("disk0-bus", "DISK0_BUS"),
    "only a part": ("MEMORY", "REQUESTS_MEMORY"),
    "another number": ("DISK1_BUS", "DISK0_BUS"),
}


@pytest.mark.parametrize("case", MEANT)
def test_similar_word_is_suggested(case):
    word, meant = MEANT[case]
    assert nearest(word, NAMES) == f"; did you mean {meant}?"


def test_other_word_gets_no_suggestion():
    assert nearest("HOSTNAME", NAMES) == ""


def test_nothing_known_gives_no_suggestion():
    assert nearest("LABELS", []) == ""
