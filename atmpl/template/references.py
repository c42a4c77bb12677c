"""A value's reference form, and its text. Rules 3 and 4.

The cluster's processor knows two references: `${P}` anywhere in a string, and `${{P}}` as a whole string, where the
parameter's text is decoded as JSON if it is JSON and stays a string if it is not.
"""

import re
from typing import Final, TypeAlias

import orjson

from atmpl.template import go_json
from atmpl.template.errors import ProcessError

Scalar: TypeAlias = str | bool | int | float

# What the processor takes for a reference (measured); `\Z` because Go's `$` does not stop before a last newline.
REFERENCE: Final = re.compile(r"\$\{([a-zA-Z0-9_]+)\}|\A\$\{\{([a-zA-Z0-9_]+)\}\}\Z")

# The OpenShift console replaces `${P}` in the template's JSON text by JavaScript's `replaceAll` and parses the result:
# a quote, a backslash or a control character breaks that text, and "$`" and "$'" insert what stands around it.
_BREAKS_CONSOLE: Final = re.compile(r"""["\\\x00-\x1f\x7f-\x9f]|\$[`']""")
_MAY_BREAK: Final = re.compile(r"""["\\$\x00-\x1f\x7f-\x9f]""")  # one class, so quick: nearly all text has none of it

# ${{P}} goes through a float64, which holds every integer up to here. Of integral floats beyond, Go prints as many
# digits as tell them apart and then zeros, which is another integer to whoever reads it.
_EXACT: Final = 2**53


Form: TypeAlias = tuple[bool, str]
"""How a value goes: (whether by `${{P}}`, not `${P}`; the parameter's text)."""


def form(value: Scalar) -> Form | None:
    """Return how `value` goes by a parameter; None for a number that no parameter can carry. Rule 3."""
    kind = type(value)
    if kind is str:
        if _MAY_BREAK.search(value) and breaks_console(value):  # type: ignore[arg-type] # a str
            return whole(value)  # type: ignore[arg-type]
        return False, value  # type: ignore[return-value]
    if kind is bool:
        return True, "true" if value else "false"
    if not -_EXACT <= value <= _EXACT and (kind is int or go_json.number(value) != value):  # type: ignore[operator, arg-type]
        return None
    return True, repr(value)


def whole(text: str) -> Form:
    """Return how a string goes by `${{P}}`: as it is, or JSON-encoded where it would parse as JSON."""
    return True, quoted(text) if is_json(text) else text


def quoted(text: str) -> str:
    """Return `text` as a JSON string."""
    return orjson.dumps(text).decode()


def breaks_console(text: str) -> bool:
    """Return whether the console's textual substitution of `${P}` by `text` can break the template."""
    return _BREAKS_CONSOLE.search(text) is not None


def holds_reference(text: str) -> bool:
    """Return whether a processor may substitute something in `text`."""
    return "${" in text and REFERENCE.search(text) is not None


def is_json(text: str) -> bool:
    """Return whether the processor may take `text` for JSON. In doubt yes: a JSON string of it is always right."""
    try:
        go_json.decode(text)
    except ProcessError:  # more levels than can be told here
        return True
    except ValueError:
        return False
    return True
