"""Which scalars become parameters. Rule 1, `options.parameters`."""

from collections.abc import Iterator
from typing import Any, Final

from atmpl.template.json_path import INSTANCE, Path
from atmpl.template.options import RenderOptions
from atmpl.template.path_patterns import PatternMatcher, States, matches, parse_pattern
from atmpl.template.rules import COMMON, CONSOLE_LITERAL

NAME: Final = "name"  # a leaf with exactly this key is a parameter only if a pattern spells it out


class Selection:
    """The scalars that `options` select. Walk with `start` and `step`; `selects` decides about a path's last states."""

    def __init__(self, options: RenderOptions) -> None:
        self._all = options.profile == "All"
        include = [parse_pattern(pattern) for pattern in options.include]
        if options.profile == "Common":
            include += _COMMON
        exclude = [parse_pattern(pattern) for pattern in options.exclude]
        if options.console == "Complete":
            exclude += _CONSOLE_LITERAL
        self.is_default = self._all and not include and not exclude  # all leaves of the instance, and nothing else
        self._matcher = PatternMatcher(include + exclude)
        self._included = len(include)
        self._spelled_out = {index for index, tokens in enumerate(include) if tokens[-1] == NAME}
        self._decisions: dict[States, tuple[bool, bool, bool]] = {}
        self.start = self._matcher.start
        self.step = self._matcher.step

    def selects(self, states: States, *, inside: bool, is_name: bool) -> bool:
        """Return True if the scalar at the end of `states` is selected; `inside` is below `spec.template.spec`."""
        decision = self._decisions.get(states)
        if decision is None:
            decision = self._decisions[states] = self._decide(states)
        return decision[0] if is_name else decision[1] if inside else decision[2]

    def _decide(self, states: States) -> tuple[bool, bool, bool]:
        """Return the decisions for a `name` leaf, and for another one inside and outside of the instance."""
        matched = self._matcher.matched(states)
        if any(index >= self._included for index in matched):
            return False, False, False
        return bool(matched & self._spelled_out), bool(matched) or self._all, bool(matched)

    def is_selected(self, path: Path) -> bool:
        """Return True if the scalar at `path`, below the VM's `spec`, is selected."""
        states = self.start
        for key in path:
            states = self.step(states, key)
        return self.selects(states, inside=path[:2] == INSTANCE, is_name=path[-1] == NAME)


class ExpectedParameters:
    """The paths of the parameters of the instance, by the words of rule 1 and without `Selection`: for verification."""

    def __init__(self, options: RenderOptions) -> None:
        self._all = options.profile == "All"
        common = COMMON if options.profile == "Common" else ()
        self._include = [parse_pattern(pattern) for pattern in (*options.include, *common)]
        self._exclude = [parse_pattern(pattern) for pattern in options.exclude]
        self._indexes = {token for tokens in (*self._include, *self._exclude) for token in tokens if type(token) is int}
        self._known: dict[Path, bool] = {}

    def __contains__(self, path: Path) -> bool:
        """Return True if the scalar at `path`, below `spec.template.spec`, is one. The path does not end in `name`."""
        # Indexes that no pattern names are alike: a VM can have thousands of interfaces.
        path = tuple(-1 if type(key) is int and key not in self._indexes else key for key in INSTANCE + path)
        known = self._known.get(path)
        if known is None:
            included = self._all or any(matches(tokens, path) for tokens in self._include)
            known = self._known[path] = included and not any(matches(tokens, path) for tokens in self._exclude)
        return known


def unmatched_patterns(options: RenderOptions, spec: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return each pattern of the request that matches no scalar of the VM's `spec`, and whether it names an object.

    Under `console: Complete` CPU and memory do not count.
    """
    if not options.patterns:
        return []
    patterns = list(dict.fromkeys(options.patterns))
    matcher = PatternMatcher([parse_pattern(pattern) for pattern in patterns])
    literal = {parse_pattern(text) for text in CONSOLE_LITERAL} if options.console == "Complete" else set()
    scalars: set[int] = set()
    objects: set[int] = set()
    for path, is_scalar, states in _walk(spec, (), matcher.start, matcher):
        found = matcher.matched(states)
        if not is_scalar:
            objects |= found
        elif found and path not in literal:
            scalars |= found
    return [(pattern, index in objects) for index, pattern in enumerate(patterns) if index not in scalars]


def _walk(value: Any, path: Path, states: States, matcher: PatternMatcher) -> Iterator[tuple[Path, bool, States]]:
    """Yield each value below `value` that a pattern can match: (path, True if it is a scalar, states)."""
    for key, item in value.items() if type(value) is dict else enumerate(value):
        after = matcher.step(states, key)
        if not after:
            continue
        is_scalar = type(item) is not dict and type(item) is not list
        yield (*path, key), is_scalar, after
        if not is_scalar:
            yield from _walk(item, (*path, key), after, matcher)


_COMMON: Final = [parse_pattern(pattern) for pattern in COMMON]
_CONSOLE_LITERAL: Final = [parse_pattern(pattern) for pattern in CONSOLE_LITERAL]
