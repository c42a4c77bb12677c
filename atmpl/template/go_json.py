"""JSON as Go reads and writes it, if that differs from Python.

Both processors are Go programs. A template reaches them as text through `encoding/json`, and so does the value of a
typed reference. What that decoder does with numbers, lone surrogates and depth determines the objects that a cluster
makes of a template.
"""

import json
import re
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

from atmpl.template.errors import ProcessError

MAX_DEPTH = 10_000  # nested containers that `encoding/json` reads
_MAX_VALUE_DEPTH = 1024  # nested containers that orjson reads in one parameter's value
_EXACT = 2**53  # integers up to here are floats as well

_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[dD][c-fC-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
_FIRST_CHARACTERS = frozenset('{["-0123456789tfn \t\r\n')
_HTML = re.compile("[<>&\u2028\u2029]")


class NotJSONError(ValueError):
    """The text is not valid JSON for `encoding/json`."""


def decode(text: str) -> Any:
    """Return what `json.Unmarshal(text, &any)` makes of `text`. Raises NotJSONError if Go rejects it.

    All numbers are float64, so they come back as `number` returns them. The last of equal keys counts. Raises
    ProcessError for a text that is too deep for this decoder.
    """
    if text[:1] not in _FIRST_CHARACTERS:  # also the empty text; most values are not JSON, so this is the fast path
        raise NotJSONError
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if text.count("[") + text.count("{") > _MAX_VALUE_DEPTH:
            raise ProcessError([f"a parameter's value may have at most {_MAX_VALUE_DEPTH} levels of JSON"]) from None
        if not _HALF.search(text):
            raise NotJSONError from error
        try:
            value = orjson.loads(_ESCAPE.sub(_complete_escape, text))
        except orjson.JSONDecodeError:
            raise NotJSONError from error
    kind = type(value)
    if kind is dict or kind is list:
        _as_floats(value)
        return value
    return _as_float(value)


def _complete_escape(escape: re.Match[str]) -> str:
    """Return an escape unchanged, or U+FFFD for half of a surrogate pair."""
    text = escape[0]
    return "\\ufffd" if len(text) == len("\\ud800") else text


def _as_float(value: Any) -> Any:
    kind = type(value)
    if kind is int and not -_EXACT <= value <= _EXACT:
        return number(float(value))
    return number(value) if kind is float else value


def _as_floats(tree: Any) -> None:
    """Convert each number in `tree` to its float64 value, in place."""
    pending = [tree]
    while pending:
        container = pending.pop()
        for key, value in container.items() if type(container) is dict else enumerate(container):
            kind = type(value)
            if kind is dict or kind is list:
                pending.append(value)
            elif kind is int or kind is float:
                container[key] = _as_float(value)


def number(value: float) -> int | float:
    """Return the number in Go's text of the float64 `value`. Integral ones below 1e21 have no decimal point."""
    if not value.is_integer() or abs(value) >= 1e21:
        return value
    return int(value) if -_EXACT <= value <= _EXACT else int(Decimal(repr(value)))


def literal(value: Any, *, exact: bool) -> Any:
    """Return a literal scalar, not a string, as Go passes it on. Raises ProcessError if it is not valid JSON.

    `exact` keeps integers of 64 bits, as Kubernetes' decoder does; otherwise each number is a float64.
    """
    if type(value) is int and -_EXACT <= value <= _EXACT:  # the most common by far
        return value
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        if exact and -(2**63) <= value < 2**63:
            return int(value)
        try:
            return number(float(value))
        except OverflowError:
            raise ProcessError([f"a number of {value.bit_length()} bits is beyond what a cluster reads"]) from None
    if isinstance(value, float) and isfinite(value):
        return number(value)
    raise ProcessError([f"{value!r:.80} is not valid JSON"])


def normalize(tree: Any) -> Any:
    """Return `tree` as a decoder of its text returns it: itself, or in rare cases a changed copy.

    Lone surrogates become U+FFFD, as in Go. Raises ProcessError for keys that are not strings and for too many levels.
    """
    try:
        orjson.dumps(tree, option=_STRICT)
    except orjson.JSONEncodeError:  # too deep for orjson, a surrogate, a large number, or not JSON
        return _normalized_copy(tree)
    return tree


def _normalized_copy(tree: Any) -> Any:
    top: list[Any] = [tree]
    level: list[Any] = [top]
    for _ in range(MAX_DEPTH + 1):  # `top` is one of them
        below: list[Any] = []
        for container in level:
            for key, value in container.items() if type(container) is dict else enumerate(container):
                if isinstance(value, dict):
                    if not all(isinstance(name, str) for name in value):
                        raise ProcessError(["a key is not a string, so this is not valid JSON"])
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
    raise ProcessError([f"the template is deeper than {MAX_DEPTH:,} levels: exceeded max depth"])


def text(text: str) -> str:
    """Return a text as Go reads it: a lone surrogate becomes U+FFFD."""
    return str(text) if text.isascii() else _SURROGATE.sub("\ufffd", text)


def encode(value: Any) -> str:
    """Return `value` as `json.Marshal` writes it, for messages; the name of its type if it cannot be written."""
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
    """Return Go's name for the JSON type of `value`."""
    if value is None:
        return "null"
    if isinstance(value, bool | str):
        return "bool" if isinstance(value, bool) else "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"
