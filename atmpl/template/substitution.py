"""What a cluster makes of a template: the mechanism that both formats' processors share.

OpenShift's processor and KubeVirt's engine have one ancestor. Both visit every string and every map key of an object
once:

- `${{P}}`, and nothing around it, becomes the value of P decoded as JSON, or P's text where it is no JSON;
- else each `${P}` becomes the value of P, one after the other from left to right, each replacing the first such text in
  what stands there by then (so a value can be taken for a reference that stands behind it: measured);
- what was put in is not visited again.

They differ in what `Engine` says. Where a key that was substituted meets another key, the cluster's answer depends on
the order in which Go visits a map, which is random; here the substituted key wins, the last of several, which is one of
the cluster's answers.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from atmpl.template import go_json

NAME = re.compile(r"[a-zA-Z0-9_]+")
WHOLE = re.compile(r"\A\$\{\{([a-zA-Z0-9_]+)\}\}\Z")
PART = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")

_FEW = 8  # references in a text that are not worth looking at twice
_NULL = object()  # what `${{P}}` gives where P is `null`: no value, in either engine


class Processed(NamedTuple):
    """All that a cluster makes of a template."""

    objects: list[dict[str, Any]]
    message: str = ""
    labels: dict[str, str] | None = None  # OpenShift's top-level labels after substitution; None where there are none


class ProcessorRules(NamedTuple):
    """How one processor differs from the other."""

    undefined: str | None  # why an undefined reference is refused (`{name}`); None leaves it as it is
    null_in_list: str  # why `null` for an item is refused (`{text}` is the reference)
    null_in_map: str | None  # why `null` for a field's value is refused (`{text}`); None drops the field
    null_key: str  # why `null` for a key is refused (`{text}`)
    typed_key: str  # why a key that is no string is refused (`{text}`, and `{type}` is Go's)
    exact: bool  # whether literal integers keep 64 bits, or all numbers are float64


class Substitution:
    """The references of one template and what stands behind them. Collects what goes wrong in `errors`."""

    def __init__(self, values: Mapping[str, str], engine: ProcessorRules) -> None:
        """Take the value of every parameter. Their names must match `NAME`: no reference can say another."""
        self.errors: dict[str, None] = {}  # a set in the order of discovery
        self._values = values
        self._engine = engine
        self._whole = {f"${{{name}}}": value for name, value in values.items()}  # by far the commonest reference

    def text(self, text: str) -> str:
        """Return what becomes of a text that is a string whatever happens: a message, a label."""
        if "$" not in text:
            return text
        whole = WHOLE.match(text)
        if not whole:
            return self._parts(text)
        if whole[1] in self._values:
            return self._values[whole[1]]
        self._undefined(whole[1])
        return text

    def tree(self, source: dict[str, Any]) -> dict[str, Any]:
        """Return what becomes of an object. `source` is not changed, and nothing in the result is part of it.

        A level at a time, not recursively: JSON may be nested deeper than Python calls.
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
                            put = whole.get(value)
                            if put is None:
                                put = self._value(value)
                                if put is _NULL:
                                    self._dropped(value)
                                    continue
                            new[key] = put
                        else:
                            new[key] = value
                    elif kind is dict or kind is list:
                        child: Any = {} if kind is dict else []
                        new[key] = child
                        if value:
                            below.append((value, child))
                    else:
                        new[key] = self._literal(value)
                if renamed:
                    self._renamed(old, new, below)
            level = below
        return root

    def _items(self, old: list[Any], new: list[Any], below: list[tuple[Any, Any]]) -> None:
        for value in old:
            kind = type(value)
            if kind is dict or kind is list:
                child: Any = {} if kind is dict else []
                new.append(child)
                if value:
                    below.append((value, child))
            elif kind is str:
                put = self._value(value) if "$" in value else value
                if put is _NULL:
                    self._refuse(self._engine.null_in_list, value)
                new.append(put)
            else:
                new.append(self._literal(value))

    def _renamed(self, old: dict[str, Any], new: dict[str, Any], below: list[tuple[Any, Any]]) -> None:
        """Add the fields whose keys hold a `$`, after all others; those that change last, so that they win."""
        fields = [(self._key(key), key, value) for key, value in old.items() if "$" in key]
        for name, _, value in sorted(fields, key=lambda field: field[0] != field[1]):
            kind = type(value)
            put: Any
            if kind is dict or kind is list:
                put = kind()
                below.append((value, put))
            elif kind is str:
                put = self._value(value) if "$" in value else value
                if put is _NULL:
                    self._dropped(value)
                    new.pop(name, None)
                    continue
            else:
                put = self._literal(value)
            new[name] = put

    def _value(self, text: str) -> Any:
        """Return what becomes of a string that holds a `$`; _NULL where it is the JSON null."""
        value = self._values.get(text[3:-2]) if text[:3] == "${{" and text[-2:] == "}}" else None
        if value is None:
            whole = WHOLE.match(text)
            if not whole:
                return self._parts(text)
            self._undefined(whole[1])
            return text
        try:
            decoded = go_json.decode(value)
        except go_json.NotJSONError:
            return value
        return _NULL if decoded is None else decoded

    def _parts(self, text: str) -> str:
        names = PART.findall(text)
        if len(names) > _FEW:  # in one pass, which is the same unless what it puts in makes a reference
            out = PART.sub(lambda part: self._values.get(part[1], part[0]), text)
            if self._values.keys().isdisjoint(PART.findall(out)):
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
            self._refuse(self._engine.null_key, key)
        elif isinstance(name, str):
            return name
        else:
            self._refuse(self._engine.typed_key, key, go_json.go_type(name))
        return key

    def _literal(self, value: Any) -> Any:
        return go_json.literal(value, exact=self._engine.exact)

    def _dropped(self, text: str) -> None:
        if self._engine.null_in_map is not None:
            self._refuse(self._engine.null_in_map, text)

    def _undefined(self, name: str) -> None:
        if self._engine.undefined is not None:
            self._refuse(self._engine.undefined, "", name=name)

    def _refuse(self, why: str, text: str, type: str = "", name: str = "") -> None:
        self.errors[why.format(text=text, type=type, name=name)] = None
