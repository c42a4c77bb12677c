"""JSON as Go reads and writes it, where that differs from what Python holds.

Both processors are Go programs: a template reaches them as text through `encoding/json`, and the value behind `${{P}}`
goes through it too. What that decoder does to numbers, lone surrogates and depth is part of what a cluster makes of a
template.
"""

import json
import re
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

from atmpl.template.errors import ProcessError

DEPTH = 10_000  # containers inside one another that `encoding/json` reads
_DEPTH_HERE = 1024  # of those, what orjson reads of one parameter's value
_EXACT = 2**53  # integers up to here are floats as well

_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[dD][c-fC-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
_BEGINS = frozenset('{["-0123456789tfn \t\r\n')
_HTML = re.compile("[<>&\u2028\u2029]")


class NotJSONError(ValueError):
    """The text is no JSON to `encoding/json`."""


def decode(text: str) -> Any:
    """Return what `json.Unmarshal(text, &any)` makes of `text`. Raises NotJSONError where it refuses.

    All its numbers are float64, so they come back as `number` gives them. Of two equal keys the last counts. What is
    deeper than is read here raises ProcessError.
    """
    if text[:1] not in _BEGINS:  # also the empty text; most values are no JSON, and this settles it
        raise NotJSONError
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if text.count("[") + text.count("{") > _DEPTH_HERE:
            raise ProcessError([f"a parameter's value may hold {_DEPTH_HERE} levels of JSON, and not more"]) from None
        if not _HALF.search(text):
            raise NotJSONError from error
        try:
            value = orjson.loads(_ESCAPE.sub(_whole_escape, text))
        except orjson.JSONDecodeError:
            raise NotJSONError from error
    kind = type(value)
    if kind is dict or kind is list:
        _as_floats(value)
        return value
    return _as_float(value)


def _whole_escape(escape: re.Match[str]) -> str:
    """Return an escape as it is, but half of a surrogate pair as U+FFFD."""
    text = escape[0]
    return "\\ufffd" if len(text) == len("\\ud800") else text


def _as_float(value: Any) -> Any:
    kind = type(value)
    if kind is int and not -_EXACT <= value <= _EXACT:
        return number(float(value))
    return number(value) if kind is float else value


def _as_floats(tree: Any) -> None:
    """Turn every number in `tree` into what a float64 makes of it, in place."""
    left = [tree]
    while left:
        container = left.pop()
        for key, value in container.items() if type(container) is dict else enumerate(container):
            kind = type(value)
            if kind is dict or kind is list:
                left.append(value)
            elif kind is int or kind is float:
                container[key] = _as_float(value)


def number(value: float) -> int | float:
    """Return the number that Go's text of the float64 `value` reads as: integral ones up to 1e21 have no point."""
    if not value.is_integer() or abs(value) >= 1e21:
        return value
    return int(value) if -_EXACT <= value <= _EXACT else int(Decimal(repr(value)))


def literal(value: Any, *, exact: bool) -> Any:
    """Return a literal scalar that is no string as Go passes it on. Raises ProcessError for what no JSON text can say.

    `exact` keeps integers of 64 bits, as Kubernetes' decoder does; else every number is a float64.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        if -_EXACT <= value <= _EXACT or (exact and -(2**63) <= value < 2**63):
            return int(value)
        try:
            return number(float(value))
        except OverflowError:
            raise ProcessError([f"a number of {value.bit_length()} bits is beyond what a cluster reads"]) from None
    if isinstance(value, float) and isfinite(value):
        return number(value)
    raise ProcessError([f"{value!r:.80} is no JSON"])


def sound(tree: Any) -> Any:
    """Return `tree` as a decoder of its text would hold it: itself, but for rare cases a mended copy.

    Lone surrogates become U+FFFD, as in Go. Raises ProcessError for keys that are no strings and for too many levels.
    """
    try:
        orjson.dumps(tree, option=_STRICT)
    except orjson.JSONEncodeError:  # too deep for orjson, a surrogate, a large number, or no JSON at all
        return _mended(tree)
    return tree


def _mended(tree: Any) -> Any:
    top: list[Any] = [tree]
    level: list[Any] = [top]
    for _ in range(DEPTH + 1):  # `top` is one of them
        below: list[Any] = []
        for container in level:
            for key, value in container.items() if type(container) is dict else enumerate(container):
                if isinstance(value, dict):
                    if not all(isinstance(name, str) for name in value):
                        raise ProcessError(["a key is no string: this is no JSON"])
                    below.append({text(name): item for name, item in value.items()})
                    container[key] = below[-1]
                elif isinstance(value, list):
                    below.append(list(value))
                    container[key] = below[-1]
                elif isinstance(value, str):
                    container[key] = text(value)
        if not below:
            return top[0]
        level = below
    raise ProcessError([f"the template is deeper than {DEPTH:,} levels: exceeded max depth"])


def text(text: str) -> str:
    """Return a text as it is after Go has read it: a lone surrogate is U+FFFD."""
    return str(text) if text.isascii() else _SURROGATE.sub("\ufffd", text)


def encode(value: Any) -> str:
    """Return `value` as `json.Marshal` writes it, for messages. Never fails: what it cannot write, it shows."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        text = f"<{type(value).__name__}>"
    return _HTML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def go_type(value: Any) -> str:
    """Return the name of the Go type that a decoded JSON value has."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "map[string]interface {}"
    return "[]interface {}" if isinstance(value, list) else "float64"


def json_type(value: Any) -> str:
    """Return Go's word for the kind of JSON that `value` is."""
    if value is None:
        return "null"
    if isinstance(value, bool | str):
        return "bool" if isinstance(value, bool) else "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"
