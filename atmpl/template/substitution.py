"""Substitution of parameters: the mechanism that both formats' processors share.

OpenShift's processor and KubeVirt's engine have a common ancestor. Both visit each string and each map key of an object
once:

- A string that is exactly `${{P}}` becomes the value of P decoded as JSON, or P's text if it is not valid JSON.
- Otherwise each `${P}` becomes the value of P, from left to right. Each replaces the first such text in the result so
  far, so a value can be taken for a reference that follows it (measured).
- Inserted text is not visited again.

`ProcessorRules` has the differences. If a substituted key equals another key, the cluster's result depends on the order
in which Go visits a map, which is random. Here the last substituted key wins, which is one of the cluster's results.
"""

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple

from atmpl.template import go_json

NAME = re.compile(r"[a-zA-Z0-9_]+")
TYPED_REF = re.compile(r"\A\$\{\{([a-zA-Z0-9_]+)\}\}\Z")
STRING_REF = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")

_CONSTANTS = frozenset((NoneType, bool))
_MANY_REFERENCES = 8  # in one text; beyond it, all are replaced in one pass
_NULL = object()  # the result of `${{P}}` if P is `null`: no value in either engine


class Processed(NamedTuple):
    """All results of processing a template."""

    objects: list[dict[str, Any]]
    message: str = ""
    labels: dict[str, str] | None = None  # OpenShift's top-level labels after substitution; None if there are none


class ProcessorRules(NamedTuple):
    """The differences between the processors."""

    undefined: str | None  # the error for an undefined reference (`{name}`); None keeps the reference
    null_in_list: str  # the error for `null` as an item (`{text}` is the reference)
    null_in_map: str | None  # the error for `null` as a field's value (`{text}`); None drops the field
    null_key: str  # the error for `null` as a key (`{text}`)
    typed_key: str  # the error for a key that is not a string (`{text}`, and `{type}` is Go's)
    exact: bool  # whether literal integers keep 64 bits; otherwise all numbers are float64


class Substitution:
    """The substitution in one template. Collects its errors in `errors`."""

    def __init__(self, values: Mapping[str, str], rules: ProcessorRules) -> None:
        """Take the values of all parameters. Their names must match `NAME`, as those in references do."""
        self.errors: dict[str, None] = {}  # a set in the order of discovery
        self._values = values
        self._rules = rules
        self._whole = {f"${{{name}}}": value for name, value in values.items()}  # the most common reference

    def text(self, text: str) -> str:
        """Return the substituted text of a message or a label, which is always a string."""
        if "$" not in text:
            return text
        whole = TYPED_REF.match(text)
        if not whole:
            return self._substitute(text)
        if whole[1] in self._values:
            return self._values[whole[1]]
        self._undefined(whole[1])
        return text

    def tree(self, source: dict[str, Any]) -> dict[str, Any]:
        """Return the substituted object. `source` is not changed, and the result shares nothing with it.

        This goes level by level, not recursively: JSON can be nested deeper than Python's calls.
        """
        root: dict[str, Any] = {}
        level: list[tuple[Any, Any]] = [(source, root)]
        whole = self._whole
        while level:
            below: list[tuple[Any, Any]] = []
            for old, new in level:
                if type(old) is list:
                    self._items(old, new, below)
                    continue
                renamed = False
                for key, value in old.items():
                    kind = type(value)
                    if "$" in key:
                        renamed = True
                    elif kind is str:
                        if "$" in value:
                            result = whole.get(value)
                            if result is None:
                                result = self._value(value)
                                if result is _NULL:
                                    self._dropped(value)
                                    continue
                            new[key] = result
                        else:
                            new[key] = value
                    elif kind is dict or kind is list:
                        child: Any = kind()
                        new[key] = child
                        if value:
                            below.append((value, child))
                    else:
                        new[key] = value if kind in _CONSTANTS else self._literal(value)
                if renamed:
                    self._renamed(old, new, below)
            level = below
        return root

    def _items(self, old: list[Any], new: list[Any], below: list[tuple[Any, Any]]) -> None:
        for value in old:
            kind = type(value)
            if kind is dict or kind is list:
                child: Any = kind()
                new.append(child)
                if value:
                    below.append((value, child))
            elif kind is str:
                result = self._value(value) if "$" in value else value
                if result is _NULL:
                    self._add_error(self._rules.null_in_list, value)
                new.append(result)
            else:
                new.append(value if kind in _CONSTANTS else self._literal(value))

    def _renamed(self, old: dict[str, Any], new: dict[str, Any], below: list[tuple[Any, Any]]) -> None:
        """Add the fields whose keys hold a `$` after all others. Those that change come last, so they win."""
        fields = [(self._key(key), key, value) for key, value in old.items() if "$" in key]
        for name, _, value in sorted(fields, key=lambda field: field[0] != field[1]):
            kind = type(value)
            result: Any
            if kind is dict or kind is list:
                result = kind()
                below.append((value, result))
            elif kind is str:
                result = self._value(value) if "$" in value else value
                if result is _NULL:
                    self._dropped(value)
                    new.pop(name, None)
                    continue
            else:
                result = self._literal(value)
            new[name] = result

    def _value(self, text: str) -> Any:
        """Return the substituted value of a string that holds a `$`; _NULL for the JSON null."""
        value = self._values.get(text[3:-2]) if text[:3] == "${{" and text[-2:] == "}}" else None
        if value is None:
            whole = TYPED_REF.match(text)
            if not whole:
                return self._substitute(text)
            self._undefined(whole[1])
            return text
        try:
            decoded = go_json.decode(value)
        except go_json.NotJSONError:
            return value
        return _NULL if decoded is None else decoded

    def _substitute(self, text: str) -> str:
        names = STRING_REF.findall(text)
        if len(names) > _MANY_REFERENCES:  # one pass has the same result unless the inserted text forms a reference
            out = STRING_REF.sub(lambda part: self._values.get(part[1], part[0]), text)
            if self._values.keys().isdisjoint(STRING_REF.findall(out)):
                for name in names:
                    if name not in self._values:
                        self._undefined(name)
                return out
        out = text
        for name in names:
            value = self._values.get(name)
            if value is None:
                self._undefined(name)
            else:
                out = out.replace(f"${{{name}}}", value, 1)
        return out

    def _key(self, key: str) -> str:
        name = self._value(key)
        if name is _NULL:
            self._add_error(self._rules.null_key, key)
        elif isinstance(name, str):
            return name
        else:
            self._add_error(self._rules.typed_key, key, go_json.go_type(name))
        return key

    def _literal(self, value: Any) -> Any:
        return go_json.literal(value, exact=self._rules.exact)

    def _dropped(self, text: str) -> None:
        if self._rules.null_in_map is not None:
            self._add_error(self._rules.null_in_map, text)

    def _undefined(self, name: str) -> None:
        if self._rules.undefined is not None:
            self._add_error(self._rules.undefined, "", name=name)

    def _add_error(self, error: str, text: str, type: str = "", name: str = "") -> None:
        self.errors[error.format(text=text, type=type, name=name)] = None
