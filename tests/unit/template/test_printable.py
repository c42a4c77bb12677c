"""Control and format characters are escaped as in JSON; everything else stays."""

import json

import pytest

from atmpl.template.printable import printable

TEXTS = {
    "plain": ("a b/c", "a b/c"),
    "letters": ("für 名 \U0001f600", "für 名 \U0001f600"),
    "escape": ("\x1b[31m", "\\u001b[31m"),
    "bell": ("\x07", "\\u0007"),
    "delete": ("\x7f", "\\u007f"),
    "control sequence introducer": ("\x9b", "\\u009b"),
    "right-to-left override": ("\u202e", "\\u202e"),
    "line separator": ("\u2028", "\\u2028"),
    "line break": ("a\nb", "a\\u000ab"),
    "tag beyond 16 bits": ("\U000e0001", "\\udb40\\udc01"),
    "half of a surrogate pair": ("\ud800", "\\ud800"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_control_characters_are_escaped(case: str) -> None:
    text, expected = TEXTS[case]
    assert printable(text) == expected


def test_characters_to_keep_are_kept() -> None:
    assert printable("a\n\x1b\tb", keep="\n") == "a\n\\u001b\\u0009b"


def test_json_keeps_its_meaning() -> None:
    value = {"a\x9b": ["\u202e", "\U000e0001", "\x1b", "\\u"]}
    text = printable(json.dumps(value, ensure_ascii=False))
    assert text.isprintable()
    assert json.loads(text) == value
