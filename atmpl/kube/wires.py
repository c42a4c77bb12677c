"""Sockets to the API server, kept from call to call; one call at a time on each.

Written here and not left to aiohttp because a call is most of what a request costs us: the three calls of a fresh
request take a third of the CPU that they take there (measured). What happens once in minutes is aiohttp's all the same:
streams, and calls through a proxy.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping

from yarl import URL

from atmpl.kube.access import Access
from atmpl.kube.http1 import BrokenAnswerError, Incoming, Reply

KEEP_ALIVE = 60.0  # seconds a socket that nobody uses is kept; the API server keeps it for 90
BODY_LIMIT = 64 * 2**20  # bytes of an answer; the largest honest one is a page of a list
STAGGER = 0.25  # seconds that one of the server's addresses is tried before the next one is too (RFC 8305)


class LostError(ConnectionError):
    """The connection ended before there was any of an answer: what was sent may or may not have been heard."""


class Wire(asyncio.Protocol):
    """One socket. `lost` is told when it has ended."""

    def __init__(self, lost: Callable[["Wire"], None]) -> None:
        self._lost = lost
        self._transport: asyncio.Transport
        self._incoming: Incoming | None = None  # the answer to the call that is under way
        self._reply: asyncio.Future[Reply] | None = None  # likewise
        self.is_open = False

    async def exchange(self, sent: bytes) -> Reply:
        """Make a call. Raises LostError, BrokenAnswerError, OSError; whoever is cancelled here leaves no socket."""
        assert self._reply is None, "one call at a time"
        self._incoming = Incoming(BODY_LIMIT)
        self._reply = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(sent)
            reply = await self._reply
        except BaseException:
            self.abort()  # what may still come is the answer to nobody
            raise
        finally:
            self._reply = self._incoming = None
        if not reply.keeps or self._transport.get_write_buffer_size():  # answered before it had heard all
            self.abort()
        return reply

    def abort(self) -> None:
        """End it at once."""
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it from the loop: there is a connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Take it from the loop: something came."""
        if self._incoming is None or self._reply is None or self._reply.done():
            self.abort()  # nobody has asked
            return
        try:
            reply = self._incoming.feed(data)
        except BrokenAnswerError as error:
            self._reply.set_exception(error)
            return
        if reply is not None:
            self._reply.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """Take it from the loop: the connection is no more."""
        self.is_open = False
        self._lost(self)
        if self._reply is not None and not self._reply.done():
            if self._incoming is not None and self._incoming.begun:
                self._reply.set_exception(BrokenAnswerError("the answer broke off"))
            else:
                said = str(error) if isinstance(error, ssl.SSLError) else ""  # of our certificate, say
                self._reply.set_exception(LostError(said or "the connection was closed before there was an answer"))


class Wires:
    """The sockets to one API server. Used from one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._access: Access | None = None  # whose sockets these are, and whose words `_fixed` are
        self._fixed = b""  # the part of every head that says where to and who we are
        self._base = ""  # the part of every path that is the server's own
        self._url = URL()
        self._idle: dict[Wire, float] = {}  # since when; the longest idle first
        self._open: set[Wire] = set()  # all of them

    async def call(
        self,
        access: Access,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        connect: float,
    ) -> Reply:
        """Make one call. `target` is path and query, encoded; a connection has to come about within `connect` seconds.

        Raises LostError, BrokenAnswerError, OSError, and ValueError where what was given cannot stand in a head.
        """
        if access is not self._access:
            self._turn_to(access)
        sent, url = self._request(method, target, headers, body), self._url
        wire = self._kept()
        if wire is not None:
            try:
                return await self._exchange(wire, access, sent)
            except LostError:
                if method != "GET":  # else it may have been done already
                    raise
        try:
            async with asyncio.timeout(connect):
                wire = await self._connect(access, url)
        except TimeoutError:
            raise TimeoutError(f"no connection in {connect:g} s") from None
        return await self._exchange(wire, access, sent)

    async def close(self) -> None:
        """End them all."""
        for wire in [*self._open]:
            wire.abort()
        await asyncio.sleep(0)  # for the loop to let the sockets go

    async def _exchange(self, wire: Wire, access: Access, sent: bytes) -> Reply:
        reply = await wire.exchange(sent)
        if wire.is_open:
            now = self._loop.time()
            if self._is_ours(access):
                self._idle[wire] = now
            else:
                wire.abort()
            self._end_idle(now)
        return reply

    def _kept(self) -> Wire | None:
        """Take the socket that was used last, so that those that are too many grow old."""
        self._end_idle(self._loop.time())
        while self._idle:
            wire, _ = self._idle.popitem()
            if wire.is_open:
                return wire
        return None

    def _end_idle(self, now: float) -> None:
        while self._idle:
            wire, since = next(iter(self._idle.items()))
            if now - since < KEEP_ALIVE:
                return
            del self._idle[wire]
            wire.abort()

    async def _connect(self, access: Access, url: URL) -> Wire:
        https = url.scheme == "https"
        host = url.raw_host or ""
        _, wire = await self._loop.create_connection(
            lambda: Wire(self._forget),
            host,
            url.port or (443 if https else 80),
            ssl=(access.tls or True) if https else None,
            server_hostname=(access.tls_name or host) if https else None,
            happy_eyeballs_delay=STAGGER,
        )
        self._open.add(wire)
        return wire

    def _forget(self, wire: Wire) -> None:
        self._open.discard(wire)
        self._idle.pop(wire, None)

    def _turn_to(self, access: Access) -> None:
        """Speak from now on as `access` says; sockets to elsewhere, or with other certificates, are not used again."""
        url = URL(access.server)
        if url.scheme not in {"http", "https"} or not url.raw_host:
            raise ValueError("the server's address is no URL of http or https")
        host = f"[{url.raw_host}]" if ":" in url.raw_host else url.raw_host
        where = host if url.is_default_port() else f"{host}:{url.port}"
        fixed = f"Host: {where}\r\n{_fields(access.headers)}".encode()
        if not self._is_ours(access):
            for wire in [*self._idle]:
                wire.abort()
            self._idle.clear()
        self._access, self._url, self._fixed = access, url, fixed
        self._base = url.raw_path.rstrip("/")

    def _is_ours(self, access: Access) -> bool:
        ours = self._access
        return ours is not None and (ours.server, ours.tls, ours.tls_name) == (
            access.server,
            access.tls,
            access.tls_name,
        )

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        start = f"{method} {self._base}{target} HTTP/1.1\r\n".encode()
        fields = _fields(headers).encode()
        if body is None:
            return b"%b%b%b\r\n" % (start, self._fixed, fields)
        return b"%b%b%bContent-Length: %d\r\n\r\n%b" % (start, self._fixed, fields, len(body), body)


def _fields(headers: Mapping[str, str]) -> str:
    """Return lines of a head. Raises ValueError where a value would end its line."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if fields.count("\r") != len(headers) or fields.count("\n") != len(headers) or "\0" in fields:
        raise ValueError("a header with a line break")
    return fields
