"""Patterns of `options.parameters`: their grammar and what they match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atmpl.template.json_path import dotted
from atmpl.template.path_patterns import PatternMatcher, Wildcard, matches, parse_pattern, pattern_error

ONE, ANY = Wildcard.ONE, Wildcard.ANY

VALID = {
    "hostname": ("hostname",),
    "template.spec.volumes[0].name": ("template", "spec", "volumes", 0, "name"),
    "a.*.b": ("a", ONE, "b"),
    "a[*].b": ("a", ONE, "b"),
    "a.**": ("a", ANY),
    "**": (ANY,),
    "*": (ONE,),
    "**.b": (ANY, "b"),
    "**[0]": (ANY, 0),
    "nodeSelector[kubernetes.io/hostname]": ("nodeSelector", "kubernetes.io/hostname"),
    "[a/b].c": ("a/b", "c"),
    "a.0": ("a", "0"),
    "a[00]": ("a", "00"),
    "a[10][2]": ("a", 10, 2),
    "a[ü]": ("a", "ü"),
}
MALFORMED = [
    "",
    "a..b",
    ".a",
    "a.",
    "a[",
    "a]b",
    "a[]",
    "a]",
    "[",
    "]",
    "a.[0]",
    "a***",
    "a*",
    "a b",
    "a[**]",
    "a\n",
    "ü",
]


@pytest.mark.parametrize("pattern", VALID)
def test_pattern_is_parsed(pattern):
    assert pattern_error(pattern) is None
    assert parse_pattern(pattern) == VALID[pattern]


@pytest.mark.parametrize("pattern", MALFORMED)
def test_malformed_pattern_is_an_error(pattern):
    assert "not valid" in pattern_error(pattern)
    with pytest.raises(ValueError, match="not valid"):
        parse_pattern(pattern)


@pytest.mark.parametrize("value", [None, 5, ["a"]])
def test_pattern_of_another_type_is_an_error(value):
    assert "of type" in pattern_error(value)


PATH = ("a", 0, "b", "name")
MATCHES = {
    "a[0].b.name": True,
    "a.*.b.name": True,
    "a[1].b.name": False,
    "a.0.b.name": False,
    "**": True,
    "a.**": True,
    "a.**.name": True,
    "a.**.b.**.name": True,
    "a[0].b.name.**": True,
    "a[0].b.name.*": False,
    "*.*.*.*": True,
    "*.*.*": False,
    "**.**": True,
    "**.*.**": True,
    "b.**": False,
    "**.b": False,
}


@pytest.mark.parametrize("pattern", MATCHES)
def test_pattern_matches_a_path(pattern):
    assert matches(parse_pattern(pattern), PATH) is MATCHES[pattern]
    assert walked([pattern], PATH) == ({0} if MATCHES[pattern] else set())


def walked(patterns, path):
    matcher = PatternMatcher([parse_pattern(each) for each in patterns])
    states = matcher.start
    for key in path:
        states = matcher.step(states, key)
    return matcher.matched(states)


keys = st.sampled_from(["a", "b", "name", "x.y", "0"])
paths = st.lists(st.one_of(keys, st.integers(0, 2)), min_size=1, max_size=6).map(lambda path: ("a", *path))
tokens = st.one_of(keys, st.integers(0, 2), st.sampled_from([ONE, ANY]))


def written(token):
    return "*" if token is ONE else "**" if token is ANY else token


patterns = st.lists(tokens, min_size=1, max_size=6).map(
    lambda tokens: (
        dotted(("a",))
        + "".join(f".{written(each)}" if isinstance(each, Wildcard) else dotted(("a", each))[1:] for each in tokens)
    )
)


def by_definition(tokens, path):
    """The design's words, without a shortcut."""
    if not tokens:
        return not path
    first, *rest = tokens
    if first is ANY:
        return any(by_definition(rest, path[skipped:]) for skipped in range(len(path) + 1))
    return (
        bool(path)
        and (first is ONE or (first == path[0] and type(first) is type(path[0])))
        and by_definition(rest, path[1:])
    )


@given(patterns=st.lists(patterns, min_size=1, max_size=4), path=paths)
def test_walk_and_single_match_agree_with_the_definition(patterns, path):
    expected = {index for index, each in enumerate(patterns) if by_definition(list(parse_pattern(each)), path)}
    assert {index for index, each in enumerate(patterns) if matches(parse_pattern(each), path)} == expected
    assert walked(patterns, path) == expected


@given(path=paths)
def test_printed_path_matches_itself(path):
    assert matches(parse_pattern(dotted(path)), path)
