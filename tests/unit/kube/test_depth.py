"""Deep JSON is pruned and otherwise unchanged."""

from typing import Any

import orjson
import pytest

from atmpl.kube.response import MAX_JSON_DEPTH, prune_deep_json


def nested(levels: int, *, inner: bytes = b"1") -> bytes:
    return b'{"a":' * levels + inner + b"}" * levels


SAME = {
    "nothing": b"",
    "a scalar": b"17",
    "an object": b'{"a": [1, {"b": null}], "c": "d"}',
    "as deep as allowed": nested(MAX_JSON_DEPTH),
    "brackets in texts and in keys": b'{"[[[": "}}}", "\\"{": "\\\\", "x": ["[\\\\\\"]"]}',
    "broken: an object that does not end": b'{"a": {"b": 1',
    "broken: a text that does not end": b'{"a": "b',
    "broken: too many ends": b"]]}}",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_prune_keeps_json_that_is_not_deep(text: bytes) -> None:
    assert prune_deep_json(text) == text


@pytest.mark.parametrize("levels", [MAX_JSON_DEPTH + 1, 1_500, 10_000])
def test_prune_replaces_deep_json_by_null(levels: int) -> None:
    assert prune_deep_json(nested(levels)) == nested(MAX_JSON_DEPTH, inner=b"null")


def test_prune_keeps_siblings_of_deep_json() -> None:
    text = (
        b'{"before": [1, "}"], "deep": ' + nested(2_000) + b', "deeper": [' + nested(9_000) + b'], "after": {"b": 2}}'
    )
    found = orjson.loads(prune_deep_json(text))
    assert found["before"] == [1, "}"]
    assert found["after"] == {"b": 2}
    assert [depth(found["deep"]), depth(found["deeper"][0])] == [MAX_JSON_DEPTH - 1, MAX_JSON_DEPTH - 2]


def depth(found: Any) -> int:
    levels = 0
    while found is not None:
        levels, found = levels + 1, found["a"]
    return levels
