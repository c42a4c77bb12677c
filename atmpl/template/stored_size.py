"""The size of a template in the cluster's store."""

from typing import Any

import orjson

_ESCAPED = (b"<", b">", b"&")  # Go's JSON writes each of these as six bytes
_ESCAPED_NON_ASCII = (b"\xe2\x80\xa8", b"\xe2\x80\xa9")  # the same
_ESCAPE_SIZE = 6


def stored_size(data: bytes) -> int:
    """Return the bytes that compact JSON `data` takes in the store."""
    escaped = _ESCAPED if data.isascii() else _ESCAPED + _ESCAPED_NON_ASCII
    return len(data) + sum([data.count(text) * (_ESCAPE_SIZE - len(text)) for text in escaped])


def stored_size_of(template: dict[str, Any]) -> int:
    """Return the bytes that `template` takes in the store."""
    return stored_size(orjson.dumps(template))


def is_larger_than(template: dict[str, Any], limit: int) -> bool:
    """Return True if `template` takes more than `limit` bytes in the store."""
    data = orjson.dumps(template)
    return len(data) * _ESCAPE_SIZE > limit and stored_size(data) > limit
