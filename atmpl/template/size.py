"""How much room a template takes in the cluster's store."""

_ESCAPED = (b"<", b">", b"&")  # Go's JSON writes each of these as six bytes
_ESCAPED_BEYOND_ASCII = (b"\xe2\x80\xa8", b"\xe2\x80\xa9")  # likewise
_ESCAPE = 6


def stored_size(data: bytes) -> int:
    """Return the bytes that compact JSON `data` takes in the store. Design section 1, TooLarge."""
    escaped = _ESCAPED if data.isascii() else _ESCAPED + _ESCAPED_BEYOND_ASCII
    return len(data) + sum([data.count(text) * (_ESCAPE - len(text)) for text in escaped])
