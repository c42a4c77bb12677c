"""Values inside a cloud-config: which of them arrive as strings."""

import pytest

from atmpl.template.text_values import undelivered_in, undelivered_parameters

PLAIN = "#cloud-config\npassword: ${P}\n"
QUOTED = '#cloud-config\npassword: "${P}"\n'
BLOCK = "#cloud-config\nchpasswd:\n  list: |\n    root:${P}\n  expire: false\n"

VALUES = {  # text, value: whether it arrives
    "a word": (PLAIN, "good-one", True),
    "an octal number": (PLAIN, "0123", False),
    "a boolean": (PLAIN, "yes", False),
    "nothing": (PLAIN, "", False),
    "a mapping": (PLAIN, "a: b", False),
    "a comment": (PLAIN, "a #b", False),
    "a quote at the start": (PLAIN, "'a", False),
    "a quote inside": (PLAIN, "a'b", True),
    "spaces around": (PLAIN, " a ", False),
    "a number in quotes": (QUOTED, "0123", True),
    "a quote in quotes": (QUOTED, 'a"b', False),
    "a backslash in quotes": (QUOTED, "a\\nb", False),
    "a mapping in a block": (BLOCK, "a: b", True),
    "a number in a block": (BLOCK, "0123", True),
    "a line in a block": (BLOCK, "a\nb: c", False),
}


@pytest.mark.parametrize("phrase", VALUES)
def test_value_arrives_as_a_string_or_is_named(phrase):
    text, value, arrives = VALUES[phrase]
    assert undelivered_in(text, {"P": value}) == ([] if arrives else ["P"])


def test_only_the_value_at_fault_is_named():
    text = "#cloud-config\npassword: ${A}\nusers:\n- name: x\n  plain_text_passwd: ${B}\n"
    assert undelivered_in(text, {"A": "0123", "B": "good"}) == ["A"]
    assert undelivered_in(text, {"A": "good", "B": "true"}) == ["B"]


UNCHECKED = {
    "another header": "#!/bin/sh\necho ${P}\n",
    "a whole reference": "${P}",
    "broken by itself": "#cloud-config\na: [\nb: ${P}\n",
    "a literal": "#cloud-config\na: ${LITERAL0}\n",
    "too long": PLAIN + "#" * 4096,
}


@pytest.mark.parametrize("phrase", UNCHECKED)
def test_other_texts_are_not_checked(phrase):
    assert undelivered_in(UNCHECKED[phrase], {"P": "0123", "LITERAL0": "1"}) == []


def test_texts_of_all_volumes_are_checked():
    volumes = [{"cloudInitNoCloud": {"userData": PLAIN}}, {"cloudInitConfigDrive": {"userData": BLOCK}}, 5]
    vm = {"spec": {"template": {"spec": {"volumes": volumes}}}}
    assert undelivered_parameters(vm, {"P": "0123"}) == ["P"]
    assert undelivered_parameters(vm, {}) == []
    assert undelivered_parameters({}, {"P": "0123"}) == []
