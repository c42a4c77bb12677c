"""Patterns that select scalars of a VM's `spec` by their path. Rule 1, `options.parameters`.

A pattern is a path as `json_path.dotted` writes it: keys joined by `.`, `[n]` for a list index, `[key]` for a key with
other characters than letters, digits, `_` and `-`. `*` (also `[*]`) is any one key or index; `**` is any number of
them, also none.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from atmpl.template.json_path import Path

PATTERN: Final = (  # also valid for Go's regexp, so that the CRD can contain it
    r"^(\*\*?|[A-Za-z0-9_-]+|\[(\*|[^\[\]*]+)\])(\.(\*\*?|[A-Za-z0-9_-]+)|\[(\*|[^\[\]*]+)\])*$"
)
_PATTERN: Final = re.compile(PATTERN[:-1] + r"\Z")
_TOKEN: Final = re.compile(r"\[([^\[\]]+)\]|([^.\[\]]+)")
_INDEX: Final = re.compile(r"0|[1-9][0-9]*")


class Wildcard(Enum):
    """A token that matches more than one key."""

    ONE = "*"
    ANY = "**"


Token: TypeAlias = str | int | Wildcard
States: TypeAlias = frozenset[tuple[int, int]]
"""Positions in patterns: (index of the pattern, number of its tokens that the path so far has matched)."""


def pattern_error(pattern: object) -> str | None:
    """Return what is wrong with `pattern`; None if it is valid."""
    if isinstance(pattern, str) and _PATTERN.match(pattern):
        return None
    shown = f"{pattern!a:.80}" if isinstance(pattern, str) else f"of type {type(pattern).__name__}"
    return (
        f"the pattern {shown} is not valid; write a path below the VM's spec, "
        "such as template.spec.domain.cpu.cores, template.spec.volumes[0].** or instancetype.name"
    )


def parse_pattern(pattern: str) -> tuple[Token, ...]:
    """Return the tokens of a pattern. Raises ValueError if it is malformed."""
    if error := pattern_error(pattern):
        raise ValueError(error)
    tokens: list[Token] = []
    for bracketed, plain in _TOKEN.findall(pattern):
        if bracketed == "*" or plain == "*":
            tokens.append(Wildcard.ONE)
        elif plain == "**":
            tokens.append(Wildcard.ANY)
        elif _INDEX.fullmatch(bracketed):
            tokens.append(int(bracketed))
        else:
            tokens.append(bracketed or plain)
    return tuple(tokens)


def matches(tokens: tuple[Token, ...], path: Path) -> bool:
    """Return True if `path` matches the pattern."""
    possible = {0}
    for key in (*path, None):
        for position in sorted(possible):  # `**` also matches no key
            at = position
            while at < len(tokens) and tokens[at] is Wildcard.ANY:
                at += 1
                possible.add(at)
        if key is None:
            return len(tokens) in possible
        possible = {
            position if tokens[position] is Wildcard.ANY else position + 1
            for position in possible
            if position < len(tokens) and _accepts(tokens[position], key)
        }
        if not possible:
            return False
    raise AssertionError


def _accepts(token: Token, key: str | int) -> bool:
    return isinstance(token, Wildcard) or token == key


@dataclass(slots=True)
class PatternMatcher:
    """Matches many patterns in one walk: `step` advances all of them by one key."""

    patterns: list[tuple[Token, ...]]
    start: States = frozenset()
    _steps: dict[tuple[States, str | int | None], States] = field(default_factory=dict)
    _named: frozenset[Token] = frozenset()  # keys and indexes; all others are alike

    def __post_init__(self) -> None:
        self.start = self._closure({(index, 0) for index in range(len(self.patterns))})
        self._named = frozenset(token for tokens in self.patterns for token in tokens)

    def step(self, states: States, key: str | int) -> States:
        """Return the states after `key`. Empty states stay empty."""
        if not states:
            return states
        known = (states, key if key in self._named else None)
        after = self._steps.get(known)
        if after is None:
            after = self._closure(
                {
                    (index, position if self.patterns[index][position] is Wildcard.ANY else position + 1)
                    for index, position in states
                    if position < len(self.patterns[index]) and _accepts(self.patterns[index][position], key)
                }
            )
            if len(self._steps) < _MAX_STEPS:
                self._steps[known] = after
        return after

    def matched(self, states: States) -> set[int]:
        """Return the indexes of the patterns that match a path that ends in `states`."""
        return {index for index, position in states if position == len(self.patterns[index])}

    def _closure(self, states: set[tuple[int, int]]) -> States:
        result = set(states)
        for index, position in states:
            tokens, at = self.patterns[index], position
            while at < len(tokens) and tokens[at] is Wildcard.ANY:
                at += 1
                result.add((index, at))
        return frozenset(result)


_MAX_STEPS: Final = 100_000  # entries of the cache of one matcher
