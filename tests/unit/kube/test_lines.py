"""Chunks of bytes are joined to lines."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atmpl.kube.client import MAX_LINE_BYTES, LineTooLongError, iter_lines
from tests.support import virtual_clock


async def pieces(*of: bytes) -> AsyncIterator[bytes]:
    for piece in of:
        yield piece


async def read(*of: bytes) -> list[list[bytes]]:
    return [batch async for batch in iter_lines(pieces(*of))]


@pytest.mark.parametrize(
    ("came", "read_as"),
    {
        "nothing": ([], []),
        "a line": ([b"one\n"], [[b"one"]]),
        "two lines in one piece": ([b"one\ntwo\n"], [[b"one", b"two"]]),
        "a line in three pieces": ([b"o", b"n", b"e\n"], [[b"one"]]),
        "an end that comes alone": ([b"one", b"\n"], [[b"one"]]),
        "half a line after a whole one": ([b"one\ntw"], [[b"one"]]),
        "half a line that is completed with more": ([b"one\ntw", b"o\nthree\n"], [[b"one"], [b"two", b"three"]]),
        "half a line at the very end": ([b"tw", b"o"], []),
        "empty lines": ([b"\n\n", b"\n"], [[b"", b""], [b""]]),
        "empty pieces": ([b"", b"one", b"", b"\n"], [[b"one"]]),
    }.values(),
)
async def test_lines_are_joined_from_chunks(came: list[bytes], read_as: list[list[bytes]]) -> None:
    assert await read(*came) == read_as


@given(st.lists(st.binary(max_size=6)), st.data())
def test_chunk_boundaries_do_not_matter(texts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(text.replace(b"\n", b"") + b"\n" for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = [line for batch in virtual_clock.run(read(*parts)) for line in batch]
    assert found == [text.replace(b"\n", b"") for text in texts]


async def test_line_of_3_mib_is_accepted() -> None:
    piece = b"x" * 2**16
    [[line]] = await read(*[piece] * 48, b"\n")
    assert len(line) == 3 * 2**20


async def test_endless_line_is_rejected() -> None:
    piece = b"x" * 2**20
    with pytest.raises(LineTooLongError, match=r"more than 33,554,432 bytes"):
        await read(*[piece] * (MAX_LINE_BYTES // len(piece) + 1))


async def test_many_short_lines_are_accepted() -> None:
    assert sum(map(len, await read(*[b"x" * 2**20 + b"\n"] * 40))) == 40
