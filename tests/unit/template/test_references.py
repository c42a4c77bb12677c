"""The reference form of a value, and the parameter's text."""

import pytest

from atmpl.template.references import EncodedValue, encode_value, holds_reference

FORMS = {  # the VM's value: (goes by ${{P}}?, the parameter's text); None stays literal
    "a plain string goes by ${P}": ("virtio", (False, "virtio")),
    "an empty string too": ("", (False, "")),
    "text that looks like a number too": ("2", (False, "2")),
    "text that looks like JSON too": ("[1]", (False, "[1]")),
    "text beyond ASCII too": ("\u00e4 \u20ac \U0001f600 \u2028", (False, "\u00e4 \u20ac \U0001f600 \u2028")),
    "a reference's text too": ("${NAME}", (False, "${NAME}")),
    "a quote goes by ${{P}}": ('say "hi"', (True, 'say "hi"')),
    "a backslash goes by ${{P}}": ("a\\b", (True, "a\\b")),
    "a line goes by ${{P}}": ("#cloud-config\nx: y\n", (True, "#cloud-config\nx: y\n")),
    "delete is a control character": ("a\x7fb", (True, "a\x7fb")),
    "JSON text goes JSON-encoded": ('{"ignition": {}}', (True, '"{\\"ignition\\": {}}"')),
    "a JSON string's text goes JSON-encoded": ('"quoted"', (True, '"\\"quoted\\""')),
    "JSON text with space around goes JSON-encoded": ("\n 7\t", (True, '"\\n 7\\t"')),
    "null's text with a line goes JSON-encoded": ("null\n", (True, '"null\\n"')),
    "text that only begins like JSON goes as it is": ('{"a": ', (True, '{"a": ')),
    "NaN is not JSON": ("NaN\n", (True, "NaN\n")),
    "half of a surrogate pair, escaped, is JSON to Go": ('"\\ud800"', (True, '"\\"\\\\ud800\\""')),
    "brackets that are too many go JSON-encoded": ("[" * 1025 + "\n", (True, '"' + "[" * 1025 + '\\n"')),
    "true": (True, (True, "true")),
    "false": (False, (True, "false")),
    "an integer": (2, (True, "2")),
    "zero": (0, (True, "0")),
    "the largest exact integer": (2**53, (True, "9007199254740992")),
    "the smallest exact integer": (-(2**53), (True, "-9007199254740992")),
    "one more stays literal": (2**53 + 1, None),
    "one less stays literal": (-(2**53) - 1, None),
    "a float": (1.5, (True, "1.5")),
    "an integral float": (1.0, (True, "1.0")),
    "a large float": (1e300, (True, "1e+300")),
    "an integral float that Go prints as it is": (2.0**54, (True, "1.8014398509481984e+16")),
    "an integral float that Go prints as another integer": (7.205759403792281e16, None),
    "an integral float beyond 64 bits": (1e20, (True, "1e+20")),
}


@pytest.mark.parametrize("phrase", FORMS)
def test_encoding_follows_the_value(phrase):
    value, expected = FORMS[phrase]
    assert encode_value(value) == (EncodedValue(*expected) if expected else None)


REFERENCES = {  # text: whether a processor substitutes there, were all names defined (measured)
    "${P}": True,
    "a ${P} b": True,
    "$${P}": True,
    "${P}}": True,
    "${{P}}": True,
    "${9_a}": True,
    "${${P}": True,
    " ${{P}}": False,
    "${{P}}\n": False,
    "x${{P}}y": False,
    "${{P}": False,
    "${}": False,
    "${ P }": False,
    "${P-x}": False,
    "${P.x}": False,
    "${\u00e4}": False,
    "$P": False,
    "$(P)": False,
    "${P": False,
    "": False,
}


@pytest.mark.parametrize("text", REFERENCES)
def test_reference_is_what_the_processor_substitutes(text):
    assert holds_reference(text) is REFERENCES[text]
