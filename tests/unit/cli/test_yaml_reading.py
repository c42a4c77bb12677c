"""YAML is read as sigs.k8s.io/yaml reads it: every expected value is the answer of that library (v1.6.0)."""

import json
import math

import pytest

from atmpl.cli.yaml import InvalidYAMLError, read


def one(text):
    (value,) = read(text)
    return value


MEANINGS = {  # a plain scalar, and the JSON that sigs.k8s.io/yaml makes of it
    "y": "true", "N": "false", "yes": "true", "No": "false", "on": "true", "OFF": "false", "True": "true",
    "nO": '"nO"', "truE": '"truE"',
    "~": "null", "null": "null", "NULL": "null", "nUll": '"nUll"', "": "null",
    "1:20": '"1:20"', "52:54:00:12:34:56": '"52:54:00:12:34:56"', "190:20:30.15": '"190:20:30.15"',
    "2001-01-01": '"2001-01-01"', "2001-12-14T21:59:43Z": '"2001-12-14T21:59:43Z"',
    "2001-12-14 21:59:43.10 -5": '"2001-12-14 21:59:43.10 -5"',
    "12": "12", "+12": "12", "-0": "0", "017": "15", "0o17": "15", "0O17": "15", "08": "8", "0x1F": "31", "0X1F": "31",
    "0b11": "3", "-0b11": "-3", "+0B11": "3", "1_000": "1000", "1__0_": "10", "-_1": "-1", "_1": '"_1"', "0x": '"0x"',
    "0x_1F": "31", "0b": '"0b"', "0o8": '"0o8"',
    "18446744073709551615": "18446744073709551615", "-9223372036854775808": "-9223372036854775808",
    "0x1ffffffffffffffffff": '"0x1ffffffffffffffffff"', "000000000000000000000000000000000000000000000000000000000000000000012": "10",
    "1e3": "1000", "1E3": "1000", "1.0": "1", "1.": "1", ".5": "0.5", "+.5": "0.5", ".1e3": "100", "1.5": "1.5", "-0.0": "0",
    ".5_0": "0.5", "1_000.5": "1000.5", ".5_": '".5_"', "._5": '"._5"', ".e3": '".e3"', "..1": '"..1"', "1e": '"1e"',
    "1.2.3": '"1.2.3"', "10Gi": '"10Gi"', "0x1p-2": '"0x1p-2"', "1e400": '"1e400"', "6.755025152641213e+16": "67550251526412130",
    "=": '"="', "<<": '"<<"', "${A}": '"${A}"',
    "'12'": '"12"', '"yes"': '"yes"', "!!str 12": '"12"', "!!int '12'": "12", "!!float 12": "12", "!!bool yes": "true",
    "!foo 12": '"12"', "! 12": '"12"', "!!binary aGk=": '"hi"', "!!null ''": "null", "!!str": '""', "!!timestamp 2001-01-01": '"2001-01-01"',
}  # fmt: skip


@pytest.mark.parametrize("text", MEANINGS)
def test_plain_scalar_has_the_value_of_sigs_yaml(text):
    value = one(f"a: {text}")["a"]
    expected = json.loads(MEANINGS[text])
    assert (type(value), value) == (type(expected), expected)


def test_number_beyond_64_bits_is_a_float():
    assert one("a: 18446744073709551616") == {"a": 1.8446744073709552e19}
    assert one("a: 7e400")["a"] == "7e400"
    assert isinstance(one("a: " + "9" * 300)["a"], float)


def test_number_of_ten_thousand_digits_is_text():
    assert one("a: " + "9" * 10_000)["a"] == "9" * 10_000


KEYS = {
    "yes: x": "true", "off: x": "false", "1: x": "1", "0x10: x": "16", "2001-01-01: x": "2001-01-01", "'1': x": "1", "!!str yes: x": "yes",
}  # fmt: skip


@pytest.mark.parametrize("text", KEYS)
def test_key_becomes_text(text):
    assert one(text) == {KEYS[text]: "x"}


STRUCTURE = {
    "a merge key": ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    "a merge of several, where the first wins": (
        "c: {<<: [{a: 1, b: 1}, {a: 2, c: 2}]}",
        {"c": {"a": 1, "b": 1, "c": 2}},
    ),
    "a key after a merge wins": ("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2", {"a": {"b": 1}, "c": {"b": 2}}),
    "a merge after a key wins, as go-yaml has it": (
        "a: &x {b: 1}\nc:\n  b: 2\n  <<: *x",
        {"a": {"b": 1}, "c": {"b": 1}},
    ),
    "two merges": ("<<: {a: 1}\n<<: {b: 1}", {"a": 1, "b": 1}),
    "a quoted << is a key": ("a: &x {b: 1}\n'<<': *x", {"a": {"b": 1}, "<<": {"b": 1}}),
    "!!str << is a key": ("!!str <<: {a: 1}", {"<<": {"a": 1}}),
    "a << that came by an alias is a key": ("a: &x <<\n*x : {b: 1}", {"a": "<<", "<<": {"b": 1}}),
    "an anchored << is a merge": ("a: 1\n&x <<: {b: 1}", {"a": 1, "b": 1}),
    "an anchor on a scalar": ("- &a 12\n- *a", [12, 12]),
    "an anchor on a key": ("&x a: *x", {"a": "a"}),
    "an anchor given again": ("- &a 1\n- &a 2\n- *a", [1, 2, 2]),
    "an anchor given again inside of its own value": ("- &a [&a 1]\n- *a", [[1], 1]),
    "a set": ("a: !!set {b}", {"a": {"b": None}}),
    "text in a block": ("a: |\n  x\n   y\n", {"a": "x\n y\n"}),
    "text folded": ("a: >-\n  x\n  y\n", {"a": "x y"}),
}


@pytest.mark.parametrize("case", STRUCTURE)
def test_collections_are_built_as_go_yaml_does(case):
    text, expected = STRUCTURE[case]
    assert one(text) == expected


def test_keys_keep_their_order():
    assert list(one("b: 1\na: 2\n<<: {d: 3, c: 4}")) == ["b", "a", "d", "c"]


def test_stream_yields_each_document():
    assert list(read("a: 1\n---\nb: 2\n---\n# nothing\n--- 3")) == [{"a": 1}, {"b": 2}, None, 3]


def test_empty_stream_yields_nothing():
    assert list(read("# nothing\n")) == []


def test_json_is_yaml():
    assert one('{"a": ["\\u00e9", 1.5, null, true, {}]}') == {"a": ["é", 1.5, None, True, {}]}


REJECTED = {
    "a key given twice": ("a: 1\nb: 2\na: 3", 3),
    "a key given twice in two spellings": ("1: a\n'1': b", 2),
    "a key that is null": ("a: 1\n~: 2", 2),
    "a key that is a float": ("a: 1\n1.5: 2", 2),  # sigs.k8s.io/yaml rounds it to 32 bits, 16777217.0 to 1.6777216e+07
    "a key that is a float of an integer": ("a: 1\n1e6: 2", 2),
    "a key that is a float, by an alias": ("a: &x 1e6\n*x : 2", 2),
    "a key that is a list": ("[a]: 1", 1),
    "a key that is a mapping": ("? {a: b}\n: c", 1),
    "an infinity": ("a: 1\nb: .inf", 2),
    "NaN": ("- 1\n- .nan", 2),
    "an unknown alias": ("a: 1\nb: *c", 2),
    "an alias of another document": ("a: &x 1\n---\nb: *x", 3),
    "an alias inside of itself": ("a: &x\n- *x", 2),
    "a merge with a scalar": ("a: 1\n<<: 2", 2),
    "a merge with a list of scalars": ("<<: [1]", 1),
    "a tag that its text denies": ("a: !!int x", 1),
    "a boolean tagged as a number": ("a: !!int yes", 1),
    "invalid base64 after !!binary": ("a: !!binary aG", 1),
    "a tab for indentation": ("a:\n\tb: 1", 2),
    "a second colon": ("a: 1\nb: c: d", 2),
    "an indentation too deep": ("a: 1\n  b: 2", 2),
    "an end within a mapping": ("a: {b: 1,\n", 2),
    "a quote never closed": ("a: 1\nb: 'c\nd: 2", 2),
    "a list never closed": ("a: 1\nb: [c\nd: 2", 2),
    "a control character": ("a: 1\nb: \x01", 2),
    "half of a character": ("a: \ud800", 1),
    "nesting without end": ("[" * 100_000, 1),
}


@pytest.mark.parametrize("case", REJECTED)
def test_error_has_its_line(case):
    text, line = REJECTED[case]
    with pytest.raises(InvalidYAMLError) as error:
        list(read(text))
    assert error.value.line == line
    assert error.value.reason


def test_error_line_counts_from_first_line():
    with pytest.raises(InvalidYAMLError, match="line 42: "):
        list(read("a: 1\na: 2", first_line=41))


def test_documents_before_an_error_are_read():
    documents = read("a: 1\n---\nb: [\n")
    assert next(documents) == {"a": 1}
    with pytest.raises(InvalidYAMLError):
        next(documents)


def test_document_with_an_error_at_its_end_is_not_read():
    with pytest.raises(InvalidYAMLError):
        next(read("a: 1\n  b: 2"))
    with pytest.raises(InvalidYAMLError):
        next(read("a\nb: c"))


def bomb(levels):
    """Ten aliases a level, each of the level before."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_few_aliases_are_accepted():
    value = one(bomb(2))
    assert len(value["a1"]) == 10


def test_alias_bomb_is_rejected():
    with pytest.raises(InvalidYAMLError, match="aliases"):
        list(read(bomb(9)))


def test_whole_float_becomes_an_integer():
    assert not isinstance(one("a: 1e3")["a"], float)
    assert math.isclose(one("a: 1e19")["a"], 1e19)  # beyond 64 bits it stays one
