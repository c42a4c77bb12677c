"""A misspelt word meets the one that was meant."""

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
def test_what_was_meant_is_offered(case):
    word, meant = MEANT[case]
    assert nearest(word, NAMES) == f"; did you mean {meant}?"


def test_a_word_like_no_other_gets_no_offer():
    assert nearest("HOSTNAME", NAMES) == ""


def test_where_nothing_is_known_nothing_is_offered():
    assert nearest("LABELS", []) == ""
