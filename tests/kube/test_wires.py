"""The sockets of calls: which are used again, and what becomes of a call whose socket is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from atmpl.kube import wires as module
from atmpl.kube.access import Access
from atmpl.kube.http1 import BrokenAnswerError, Reply
from atmpl.kube.wires import LostError, Wires

Peer = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Whoever listens; `peer` is what it does on a connection, each of which counts."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.heard: list[tuple[int, bytes]] = []  # number of the connection, and a call as it came
        self.connections = 0
        self.ended = asyncio.Event()  # set by a peer that has hung up
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._peer(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def hear(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), b"0"
        )
        call = head + await reader.readexactly(int(length))
        self.heard.append((self.connections, call))
        return call


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REPLY = Reply(200, b"{}", None, keeps=True)


async def polite(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await server.hear(reader)
        writer.write(ANSWER)


def hangs_up_after(answers: int) -> Peer:
    """Serve so many calls of the first connection, hear one more, and hang up; later connections are served."""

    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.connections > 1:
            await polite(server, reader, writer)
        for _ in range(answers):
            await server.hear(reader)
            writer.write(ANSWER)
        await server.hear(reader)

    return peer


@asynccontextmanager
async def talking(peer: Peer, path: str = "") -> AsyncIterator[tuple[Server, Wires, Callable[..., Awaitable[Reply]]]]:
    server = Server(peer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    where = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    access = Access(f"http://{where}{path}", {"Authorization": "Bearer t"}, None)
    server.url = where
    wires = Wires()

    async def call(
        method: str = "GET", body: bytes | None = None, access: Access = access, target: str = "/a?b=c"
    ) -> Reply:
        return await wires.call(access, method, target, {"Accept": "x/y"}, body, connect=5)

    try:
        yield server, wires, call
    finally:
        await wires.close()
        listener.close()
        await listener.wait_closed()


async def test_a_call_says_where_to_who_and_what() -> None:
    async with talking(polite, path="/behind/a/") as (server, _, call):
        assert await call("POST", b"{}") == REPLY
        assert await call() == REPLY
    fixed = f"Host: {server.url}\r\nAuthorization: Bearer t\r\nAccept: x/y\r\n"
    assert server.heard == [
        (1, f"POST /behind/a/a?b=c HTTP/1.1\r\n{fixed}Content-Length: 2\r\n\r\n{{}}".encode()),
        (1, f"GET /behind/a/a?b=c HTTP/1.1\r\n{fixed}\r\n".encode()),
    ]


async def test_one_socket_serves_one_call_after_another_and_each_of_those_at_once_has_its_own() -> None:
    async with talking(polite) as (server, _, call):
        for _ in range(3):
            await call()
        assert server.connections == 1
        await asyncio.gather(call(), call(), call())
        assert server.connections == 3
        await asyncio.gather(call(), call(), call())
        assert server.connections == 3


async def test_a_read_whose_kept_socket_is_lost_is_made_again() -> None:
    async with talking(hangs_up_after(1)) as (server, _, call):
        await call()
        assert await call() == REPLY
    assert [connection for connection, _ in server.heard] == [1, 1, 2]


async def test_a_write_whose_socket_is_lost_is_not_made_again_for_it_may_be_done() -> None:
    async with talking(hangs_up_after(1)) as (server, _, call):
        await call()
        with pytest.raises(LostError, match="closed before there was an answer"):
            await call("POST", b"{}")
    assert len(server.heard) == 2


async def test_a_read_on_a_new_socket_that_is_lost_is_not_made_again() -> None:
    async with talking(hangs_up_after(0)) as (server, _, call):
        with pytest.raises(LostError):
            await call()
    assert len(server.heard) == 1


async def test_an_answer_that_breaks_off_is_none_and_is_not_asked_for_again() -> None:
    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.hear(reader)
        writer.write(ANSWER)
        await server.hear(reader)
        writer.write(ANSWER[:-1])

    async with talking(peer) as (server, _, call):
        await call()
        with pytest.raises(BrokenAnswerError, match="the answer broke off"):
            await call()
    assert len(server.heard) == 2


async def test_a_socket_that_the_server_closed_meanwhile_is_not_used() -> None:
    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.hear(reader)
        writer.write(ANSWER)
        writer.close()
        await writer.wait_closed()
        server.ended.set()

    async with talking(peer) as (server, wires, call):
        await call("POST", b"{}")
        await server.ended.wait()
        while wires._open:  # noqa: ASYNC110 - nobody tells when a loop has let a socket go
            await asyncio.sleep(0)
        assert not wires._idle
        assert await call("POST", b"{}") == REPLY
    assert server.connections == 2


async def test_a_server_that_says_that_it_ends_the_connection_is_believed() -> None:
    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.hear(reader)
        writer.write(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await reader.read()  # until we hang up

    async with talking(peer) as (server, _, call):
        await call("POST", b"{}")
        await call("POST", b"{}")
    assert server.connections == 2


async def test_an_answer_to_nobody_ends_its_socket() -> None:
    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.hear(reader)
        writer.write(ANSWER)
        await server.hear(reader)
        writer.write(ANSWER)
        await writer.drain()
        writer.write(ANSWER)
        await reader.read()
        server.ended.set()

    async with talking(peer) as (server, wires, call):
        await call()
        await call()
        await server.ended.wait()
        while wires._open:  # noqa: ASYNC110 - nobody tells when a loop has let a socket go
            await asyncio.sleep(0)
        assert not wires._idle


async def test_whoever_gives_up_waiting_leaves_no_socket_on_which_the_answer_may_come_to_somebody_else() -> None:
    heard = asyncio.Event()

    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.connections > 1:
            await polite(server, reader, writer)
        await server.hear(reader)
        heard.set()
        await reader.read()

    async with talking(peer) as (server, _, call):
        task = asyncio.ensure_future(call())
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await call() == REPLY
    assert server.connections == 2


async def test_a_socket_that_was_idle_for_too_long_is_not_used_and_those_used_last_are_used_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with talking(polite) as (server, wires, call):
        await asyncio.gather(call(), call())
        assert len(wires._idle) == 2
        monkeypatch.setattr(module, "KEEP_ALIVE", 0.0)
        await call()
        assert (server.connections, len(wires._idle)) == (3, 0)


async def test_another_token_goes_on_with_the_sockets_and_another_server_does_not() -> None:
    async with talking(polite) as (server, _, call):
        await call()
        await call(access=Access(f"http://{server.url}", {"Authorization": "Bearer u"}, None))
        assert server.connections == 1
        assert b"Authorization: Bearer u\r\n" in server.heard[-1][1]
        await call(access=Access(f"http://{server.url.replace('127.0.0.1', 'localhost')}", {}, None))
        assert server.connections == 2


async def test_a_socket_in_use_while_the_certificates_change_is_not_used_again() -> None:
    free = asyncio.Event()

    async def peer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.connections == 1:
            await server.hear(reader)
            await free.wait()
            writer.write(ANSWER)
        await polite(server, reader, writer)

    async with talking(peer) as (server, _, call):
        under_way = asyncio.ensure_future(call())
        while not server.heard:  # noqa: ASYNC110 - a list tells nobody that it grew
            await asyncio.sleep(0)
        changed = Access(f"http://{server.url}", {}, None, tls_name="another")
        await call(access=changed)
        free.set()
        assert await under_way == REPLY
        await call(access=changed)
    assert [connection for connection, _ in server.heard] == [1, 2, 2]


HEADERS = {"a line break": "a\r\nB: c", "a line feed": "a\nB: c", "a zero": "a\0"}


@pytest.mark.parametrize("value", HEADERS.values(), ids=HEADERS)
async def test_a_header_that_would_become_two_is_not_sent(value: str) -> None:
    async with talking(polite) as (server, wires, _):
        with pytest.raises(ValueError, match="line break"):
            await wires.call(
                Access(f"http://{server.url}", {"Authorization": value}, None), "GET", "/", {}, None, connect=5
            )
    assert server.connections == 0


@pytest.mark.parametrize("url", ["", "127.0.0.1:6443", "ftp://127.0.0.1", "http://"])
async def test_an_address_that_is_no_url_is_said_to_be_none(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        await Wires().call(Access(url, {}, None), "GET", "/", {}, None, connect=5)


async def test_nobody_at_home_is_an_error_of_the_system() -> None:
    async with talking(polite) as (server, _, _call):
        pass
    with pytest.raises(ConnectionRefusedError):
        await Wires().call(Access(f"http://{server.url}", {}, None), "GET", "/", {}, None, connect=5)
