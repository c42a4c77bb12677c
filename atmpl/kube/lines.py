"""A stream of bytes becomes lines, whatever pieces it comes in."""

from collections.abc import AsyncIterator

LINE_LIMIT = (
    32 * 2**20
)  # bytes; the longest honest line is an object of the server's limit, 3 MiB with its managedFields


class LineTooLongError(ValueError):
    """A line longer than any object can be."""


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Yield the lines that each piece completes, without their ends. Half a line at the end is no line.

    Raises LineTooLongError for one of more than LINE_LIMIT bytes, and whatever `pieces` does.

    A list a piece, and not a line at a time: the first list of 100,000 VMs comes in a few hundred pieces.
    """
    begun: list[bytes] = []  # what has come of the line that is not complete
    size = 0  # bytes of it
    async for piece in pieces:
        *whole, rest = piece.split(b"\n")
        if whole:
            whole[0] = b"".join([*begun, whole[0]])
            begun, size = [], 0
            yield whole
        if rest:
            begun.append(rest)
            size += len(rest)
            if size > LINE_LIMIT:
                raise LineTooLongError(f"a line of more than {LINE_LIMIT:,} bytes")
