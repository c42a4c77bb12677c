"""The reference form of a value, and the parameter's text. Rules 3 and 4.

The cluster's processor knows two references: the string reference `${P}` anywhere in a string, and the typed reference
`${{P}}` as a complete string. For a typed reference the parameter's text is decoded as JSON; if it is not valid JSON,
it stays a string.
"""

import re
from typing import Final, TypeAlias

import msgspec
import orjson

from atmpl.template import go_json
from atmpl.template.errors import ProcessError

Scalar: TypeAlias = str | bool | int | float

# What the processor takes for a reference (measured); `\Z` because Go's `$` does not stop before a last newline.
REFERENCE: Final = re.compile(r"\$\{([a-zA-Z0-9_]+)\}|\A\$\{\{([a-zA-Z0-9_]+)\}\}\Z")

# The OpenShift console replaces `${P}` in the template's JSON text by JavaScript's `replaceAll` and parses the result.
# A quote, a backslash or a control character breaks that text; "$`" and "$'" insert the text around the reference.
_BREAKS_CONSOLE: Final = re.compile(r"""["\\\x00-\x1f\x7f-\x9f]|\$[`']""")
_MAY_BREAK: Final = re.compile(r"""["\\$\x00-\x1f\x7f-\x9f]""")  # one class, so fast: most text has none of these

# A typed reference goes through a float64, which holds every integer up to here. Beyond it, Go prints an integral float
# as the shortest distinct digits followed by zeros, which is another integer to a reader of integers.
_MAX_EXACT: Final = 2**53


class EncodedValue(msgspec.Struct, frozen=True, gc=False):  # created in a quarter of a NamedTuple's time
    """How a parameter carries a value."""

    typed: bool  # by `${{P}}`, not by `${P}`
    text: str  # the parameter's value


def encode_value(value: Scalar) -> EncodedValue | None:
    """Return how a parameter carries `value`; None for a number that no parameter can carry exactly. Rule 3."""
    kind = type(value)
    if kind is str:
        if _MAY_BREAK.search(value) and breaks_console(value):  # type: ignore[arg-type] # a str
            return typed_reference(value)  # type: ignore[arg-type]
        return EncodedValue(False, value)  # type: ignore[arg-type]
    if kind is bool:
        return EncodedValue(True, "true" if value else "false")
    if not -_MAX_EXACT <= value <= _MAX_EXACT and (kind is int or go_json.number(value) != value):  # type: ignore[operator, arg-type]
        return None
    return EncodedValue(True, repr(value))


def typed_reference(text: str) -> EncodedValue:
    """Return how `${{P}}` carries a string: as it is, or JSON-encoded if it would parse as JSON."""
    return EncodedValue(True, json_string(text) if is_json(text) else text)


def json_string(text: str) -> str:
    """Return `text` as a JSON string."""
    return orjson.dumps(text).decode()


def breaks_console(text: str) -> bool:
    """Return True if the console's textual substitution of `${P}` by `text` can break the template."""
    return _BREAKS_CONSOLE.search(text) is not None


def holds_reference(text: str) -> bool:
    """Return True if a processor can substitute something in `text`."""
    return "${" in text and REFERENCE.search(text) is not None


def is_json(text: str) -> bool:
    """Return True if the processor can take `text` for JSON. True in doubt: a JSON string of it is always correct."""
    try:
        go_json.decode(text)
    except ProcessError:  # more levels than can be decoded here
        return True
    except ValueError:
        return False
    return True
