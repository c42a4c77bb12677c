"""An answer, however its bytes come in."""

import pytest

from atmpl.kube.http1 import HEAD_LIMIT, BrokenAnswerError, Incoming, Reply

LIMIT = 100  # bytes of a body, for these tests


def read(*pieces: bytes) -> Reply | None:
    incoming = Incoming(LIMIT)
    replies = [incoming.feed(piece) for piece in pieces]
    assert all(reply is None for reply in replies[:-1])
    return replies[-1]


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

TAKEN: dict[str, tuple[bytes, Reply]] = {
    "a body of the length that is told": (
        OK + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        Reply(200, b"{}", None, keeps=True),
    ),
    "names of fields in any case, and blanks around values": (
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-LENGTH:  0 \r\nRETRY-after:\t7\r\n\r\n",
        Reply(429, b"", "7", keeps=True),
    ),
    "a status without words": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Reply(200, b"", None, keeps=True)),
    "no body where there is none by the status": (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        Reply(204, b"", None, keeps=True),
    ),
    "one that ends the connection": (
        OK + b"Connection: Close\r\nContent-Length: 1\r\n\r\na",
        Reply(200, b"a", None, keeps=False),
    ),
    "one of an old server, which ends it too": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        Reply(200, b"a", None, keeps=False),
    ),
    "one after another that only announces it": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
        Reply(200, b"a", None, keeps=True),
    ),
    "the same length told twice": (
        OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        Reply(200, b"a", None, keeps=True),
    ),
    "chunks": (CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", Reply(200, b"abc0123456789", None, keeps=True)),
    "chunks with extensions and trailers": (
        CHUNKED + b"1;a=b\r\nx\r\n0\r\nExpires: never\r\nA: b\r\n\r\n",
        Reply(200, b"x", None, keeps=True),
    ),
    "no chunk at all": (CHUNKED + b"0\r\n\r\n", Reply(200, b"", None, keeps=True)),
    "a field whose name only ends as one that counts": (
        OK + b"X-Content-Length: 9\r\nContent-Length: 1\r\n\r\na",
        Reply(200, b"a", None, keeps=True),
    ),
    "identity, which is no encoding": (
        OK + b"Content-Encoding: identity\r\nContent-Length: 1\r\n\r\na",
        Reply(200, b"a", None, keeps=True),
    ),
    "a body of all that is allowed": (
        OK + b"Content-Length: 100\r\n\r\n" + b"x" * LIMIT,
        Reply(200, b"x" * LIMIT, None, keeps=True),
    ),
}


@pytest.mark.parametrize(("said", "reply"), TAKEN.values(), ids=TAKEN)
def test_an_answer_is_the_same_in_one_piece_in_two_and_byte_by_byte(said: bytes, reply: Reply) -> None:
    assert read(said) == reply
    assert read(*(said[place : place + 1] for place in range(len(said)))) == reply
    for cut in range(1, len(said)):
        assert read(said[:cut], said[cut:]) == reply


REFUSED: dict[str, tuple[bytes, str]] = {
    "another protocol": (b"SSH-2.0-OpenSSH\r\n\r\n", "is no HTTP/1.1"),
    "another version": (b"HTTP/2 200\r\n\r\n", "is no HTTP/1.1"),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", "is no HTTP/1.1"),
    "no length": (OK + b"Content-Type: text/plain\r\n\r\nab", "does not tell its length"),
    "a length below nothing": (OK + b"Content-Length: -1\r\n\r\n", "does not tell its length"),
    "a length in other digits": (OK + "Content-Length: ٣\r\n\r\n".encode(), "does not tell its length"),
    "a length of astronomers": (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "does not tell its length"),
    "two lengths": (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "tells two lengths"),
    "a length and chunks": (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "not understood"),
    "chunks that are packed": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "not understood"),
    "an encoding": (OK + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\n", "nobody asked for that"),
    "a body too large": (OK + b"Content-Length: 101\r\n\r\n", "more than 100 bytes"),
    "chunks too large together": (CHUNKED + b"60\r\n" + b"x" * 96 + b"\r\n5\r\n", "more than 100 bytes"),
    "a chunk without a size": (CHUNKED + b"\r\n", "a chunk without a size"),
    "a chunk of a size below nothing": (CHUNKED + b"-1\r\n", "a chunk without a size"),
    "a chunk longer than it says": (CHUNKED + b"1\r\nabcd", "another size than it says"),
    "a head without an end": (OK + b"A: " + b"b" * HEAD_LIMIT, "too long"),
    "a chunk's line without an end": (CHUNKED + b"1;" + b"b" * 5000, "too long"),
    "trailers without an end": (CHUNKED + b"0\r\nA: " + b"b" * HEAD_LIMIT, "too long"),
}


@pytest.mark.parametrize(("said", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_is_refused_by_a_sentence_that_quotes_nothing(said: bytes, why: str) -> None:
    with pytest.raises(BrokenAnswerError, match=why):
        read(said)
    with pytest.raises(BrokenAnswerError, match=why):
        read(*(said[place : place + 1] for place in range(len(said))))


def test_whoever_says_more_than_was_asked_is_not_asked_again() -> None:
    reply = read(OK + b"Content-Length: 1\r\n\r\na" + OK)
    assert reply == Reply(200, b"a", None, keeps=False)


def test_an_answer_has_begun_with_its_first_byte_and_stays_so() -> None:
    incoming = Incoming(LIMIT)
    assert not incoming.begun
    incoming.feed(b"H")
    assert incoming.begun
    incoming.feed(b"TTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
    assert incoming.begun
