"""What kind of value something is, in a person's words: errors say that and never the value, which others may read."""

from types import NoneType
from typing import Final

_WORDS: Final[dict[type, str]] = {
    NoneType: "null",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def word(value: object) -> str:
    """Return the word for the kind of JSON that `value` is; of what is none, the name of its class."""
    return _WORDS.get(type(value)) or f"a {type(value).__name__}"
