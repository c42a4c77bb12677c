"""JSON as Go's `encoding/json` decodes it. The expected values are answers of Go 1.26."""

import math

import pytest

from atmpl.template import ProcessError, go_json

READ = {  # text: value, and its type counts
    "true": True,
    "null": None,
    "5": 5,
    " 7 ": 7,
    "\t7\n": 7,
    "1.0": 1,
    "1e3": 1000,
    "1E+5": 100000,
    "0.1": 0.1,
    "1e-400": 0,
    "-0": 0,
    "9007199254740993": 9007199254740992,
    "-9007199254740993": -9007199254740992,
    "9223372036854775807": 9223372036854776000,
    "18446744073709551615": 18446744073709552000,
    "100000000000000000001": 100000000000000000000,
    "1e21": 1e21,
    "1234567890123456789012": 1.2345678901234568e21,
    "1.7976931348623157e308": 1.7976931348623157e308,
    '"q"': "q",
    '"\x7f"': "\x7f",
    '"\\u0041"': "A",
    '"\\ud83d\\ude42"': "🙂",
    '"\\ud800"': "\ufffd",
    '"\\udc00x"': "\ufffdx",
    '"\\ud800\\ud800\\udc00"': "\ufffd\U00010000",
    '"\\\\ud800"': "\\ud800",
    '{"a":1,"a":2}': {"a": 2},
    '{"\\ud800":[1.0,{"x":18446744073709551615}]}': {"\ufffd": [1, {"x": 18446744073709552000}]},
    "[null]": [None],
}
REJECTED = (
    *(
        "",
        " ",
        "x",
        "tru",
        "True",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "0x10",
        "1_000",
        "1 2",
        "[1,]",
        "{bad",
    ),
    *('"\t"', '"a\nb"', '"\\x"', '"\\u12"', '"\\ud8"', '"\\ud800', "{1:2}", "\v7", "\ufeff1", "\u00a01"),
    *("1e400", "[1e999]", "-1e309", "1" + "0" * 309, '{"a":"\\ud800","b":1e400}'),
)


@pytest.mark.parametrize("text", READ)
def test_text_is_decoded_as_go_decodes_it(text):
    value = go_json.decode(text)
    assert repr(value) == repr(READ[text])


@pytest.mark.parametrize("text", REJECTED)
def test_text_is_rejected_where_go_rejects_it(text):
    with pytest.raises(go_json.NotJSONError):
        go_json.decode(text)


def test_too_deep_value_is_an_error():
    assert go_json.decode("[" * 1000 + "]" * 1000)
    with pytest.raises(ProcessError, match="1024 levels"):
        go_json.decode("[" * 1025 + "]" * 1025)


LITERALS = {  # a literal: (with 64 bit integers, all float64)
    2**53 + 1: (2**53 + 1, 2**53),
    2**63 - 1: (2**63 - 1, 9223372036854776000),
    2**63: (9223372036854776000, 9223372036854776000),
    -(2**63): (-(2**63), -9223372036854776000),
    10**25: (1e25, 1e25),
    1.0: (1, 1),
    1e20: (10**20, 10**20),
    0.5: (0.5, 0.5),
}


@pytest.mark.parametrize("value", LITERALS)
def test_literal_number_is_passed_on_as_the_engine_does(value):
    assert repr((go_json.literal(value, exact=True), go_json.literal(value, exact=False))) == repr(LITERALS[value])


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 10**400, b"bytes", (1,), pytest.param(object(), id="object")], ids=repr
)
def test_value_that_json_cannot_hold_is_rejected(value):
    with pytest.raises(ProcessError):
        go_json.literal(value, exact=True)


def test_lone_surrogate_is_replaced_in_a_copy():
    tree = {"a\ud800": ["\udfffb", {"c": "🙂"}]}
    assert go_json.normalize(tree) == {"a\ufffd": ["\ufffdb", {"c": "🙂"}]}
    assert tree == {"a\ud800": ["\udfffb", {"c": "🙂"}]}


def test_normal_tree_is_not_copied():
    tree = {"a": ["b", {"c": 1}]}
    assert go_json.normalize(tree) is tree


def test_key_that_is_not_a_string_is_rejected():
    with pytest.raises(ProcessError, match="key"):
        go_json.normalize({"a": [{1: 2}]})


def test_depth_limit_is_that_of_go():
    def nested(levels):
        tree = []
        for _ in range(levels - 1):
            tree = [tree]
        return tree

    go_json.normalize(nested(10_000))
    with pytest.raises(ProcessError, match="exceeded max depth"):
        go_json.normalize(nested(10_001))


def test_message_shows_a_value_as_go_writes_it():
    assert go_json.encode({"a": "<é&>", "b": 10**25}) == '{"a":"\\u003cé\\u0026\\u003e","b":10000000000000000000000000}'
