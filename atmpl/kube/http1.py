"""One HTTP/1.1 answer, read from the bytes as they come in. Pure: no socket, no loop, no clock.

    head ──Content-Length──> body of that size ──> Reply
     │ ╰──chunked──────────> chunks ──trailers──> Reply
     ╰── 1xx: it announces the head that counts

It takes what an API server, and what stands before one, may answer to the calls that are made here. They accept no
content encoding, and an answer whose length nobody tells could have been cut off anywhere: both are refused.
"""

import re
from typing import Final, NamedTuple

HEAD_LIMIT: Final = 16_384  # bytes of a head, and of the trailers
LINE_LIMIT: Final = 4_096  # bytes of the line before a chunk

_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])[ \r]")
_FIELD: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|content-encoding|connection|retry-after):[ \t]*([^\r\n]*)", re.IGNORECASE
)
_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;|\Z)")
_EMPTY: Final = {204, 304}  # statuses without a body


class BrokenAnswerError(ConnectionError):
    """What came is no answer that can be taken. The message quotes nothing of it."""


class Reply(NamedTuple):
    """An answer, complete."""

    status: int
    body: bytes
    retry_after: str | None
    keeps: bool  # whether the connection can be used again


class Incoming:
    """An answer that is coming in; `limit` are the bytes that its body may have."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()  # what has come and is not taken yet
        self._status = 0  # of the head; 0 until it is there
        self._size: int | None = None  # of the body; None where it comes in chunks
        self._chunks: list[bytes] = []
        self._taken = 0  # bytes in _chunks
        self._retry_after: str | None = None
        self._keeps = True

    @property
    def begun(self) -> bool:
        """Whether anything has come at all."""
        return bool(self._status or self._buffer)

    def feed(self, data: bytes) -> Reply | None:
        """Take more bytes; return the answer once it is complete. Raises BrokenAnswerError."""
        self._buffer += data
        while not self._status:
            end = self._buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT)
            if end < 0:
                self._refuse_beyond(HEAD_LIMIT)
                return None
            self._head(bytes(self._buffer[: end + 2]))
            del self._buffer[: end + 4]
        if self._size is None:
            return self._chunked()
        if len(self._buffer) < self._size:
            return None
        body = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        return self._reply(body)

    def _head(self, head: bytes) -> None:
        line = _STATUS.match(head)
        if line is None:
            raise BrokenAnswerError("the answer is no HTTP/1.1")
        status = int(line[2])
        if status < 200:
            return
        fields: dict[bytes, bytes] = {}
        for name, value in _FIELD.findall(head):
            key, text = name.lower(), value.strip().lower()
            if key == b"content-length" and fields.get(key, text) != text:
                raise BrokenAnswerError("the answer tells two lengths")
            fields[key] = text
        if fields.get(b"content-encoding", b"identity") != b"identity":
            raise BrokenAnswerError("the answer is encoded, and nobody asked for that")
        self._size = _size(status, fields)
        if self._size is not None and self._size > self._limit:
            raise self._too_large()
        self._keeps = line[1] == b"1" and b"close" not in fields.get(b"connection", b"")
        after = fields.get(b"retry-after")
        self._retry_after = None if after is None else after.decode("latin-1")
        self._status = status

    def _chunked(self) -> Reply | None:
        while True:
            end = self._buffer.find(b"\r\n", 0, LINE_LIMIT)
            if end < 0:
                self._refuse_beyond(LINE_LIMIT)
                return None
            line = _SIZE.match(self._buffer[:end])
            if line is None:
                raise BrokenAnswerError("the answer has a chunk without a size")
            size = int(line[1], 16)
            if not size:
                return self._trailers(end)
            if self._taken + size > self._limit:
                raise self._too_large()
            start = end + 2
            if len(self._buffer) < start + size + 2:
                return None
            if self._buffer[start + size : start + size + 2] != b"\r\n":
                raise BrokenAnswerError("the answer has a chunk of another size than it says")
            self._chunks.append(bytes(self._buffer[start : start + size]))
            self._taken += size
            del self._buffer[: start + size + 2]

    def _trailers(self, end: int) -> Reply | None:
        """Pass over what follows the last chunk, whose line ends at `end`."""
        over = self._buffer.find(b"\r\n\r\n", end, end + HEAD_LIMIT)
        if over < 0:
            self._refuse_beyond(end + HEAD_LIMIT)
            return None
        del self._buffer[: over + 4]
        return self._reply(b"".join(self._chunks))

    def _refuse_beyond(self, most: int) -> None:
        if len(self._buffer) >= most:
            raise BrokenAnswerError("the answer has a line or a head too long")

    def _reply(self, body: bytes) -> Reply:
        # What follows an answer belongs to no call of ours, so nobody can tell what comes next.
        return Reply(self._status, body, self._retry_after, self._keeps and not self._buffer)

    def _too_large(self) -> BrokenAnswerError:
        return BrokenAnswerError(f"an answer of more than {self._limit:,} bytes")


def _size(status: int, fields: dict[bytes, bytes]) -> int | None:
    """Return the length of the body; None where it comes in chunks."""
    if status in _EMPTY:
        return 0
    if b"transfer-encoding" in fields:
        if fields[b"transfer-encoding"] != b"chunked" or b"content-length" in fields:
            raise BrokenAnswerError("the answer comes in a way that is not understood")
        return None
    length = fields.get(b"content-length", b"")
    if not length.isdigit() or len(length) > 18:
        raise BrokenAnswerError("the answer does not tell its length")
    return int(length)
