"""Calls to the API server, on sockets that are kept. Watches have a session of their own, and never wait for calls."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from atmpl.controller.cluster import UnavailableError
from atmpl.kube.auth import APIEndpoint, Credentials, CredentialsError
from atmpl.kube.redaction import describe_client_error
from atmpl.kube.response import Response

log = logging.getLogger("atmpl")

CONNECT = 10.0  # seconds from the server's name to the end of the handshakes, with it and with a proxy
CALL = aiohttp.ClientTimeout(total=30, connect=CONNECT, sock_connect=5)
BODY_LIMIT = 64 * 2**20  # bytes of an answer; the largest honest one is a page of a list
KEEP_ALIVE = 60.0  # seconds a socket that nobody uses is kept; the API server keeps it for 90
GATHER = 0.01  # seconds between two looks at a stream that nobody waits for
MAX_LINE_BYTES = 32 * 2**20  # the longest valid line is an object of the server's limit, 3 MiB with its managedFields
READ_BUFFER = 2**21  # bytes; a watch's lines come in pieces of up to this size
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ResponseTooLargeError(UnavailableError):
    """An answer of more than BODY_LIMIT bytes: asked for less at a time, the server may be understood."""


class KubeClient:
    """A connection to one API server, as one user. Use it as an async context manager.

    Every failure to get an answer is an UnavailableError; an answer of any status is an Answer.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._calls: aiohttp.ClientSession
        self._streams: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._calls, self._streams = _session(), _session()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._calls.close()
        await self._streams.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = CALL,
    ) -> Response:
        """Make one call. `query` is percent-encoded here; `path` is taken as it is, and names are legal in it.

        Raises UnavailableError where there is no answer; one of any status is returned.
        """
        access = await self._access()
        began = perf_counter()
        try:
            async with self._calls.request(
                method,
                _url(access, path, query),
                data=body,
                headers=[*access.headers.items(), *(headers or {}).items()],
                ssl=access.tls or True,
                server_hostname=access.tls_name,
                proxy=access.proxy,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                answer = Response(response.status, await _body(response), response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _told(method, path, began, why=describe_client_error(error))
            raise UnavailableError(describe_client_error(error)) from None
        _told(method, path, began, status=answer.status)
        if answer.status == 401:
            await self._credentials.invalidate(access)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], accept: str, silence: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a stream of lines. Raises UnavailableError.

        Reading it raises aiohttp.ClientError, and OSError: TimeoutError where nothing comes for `silence` seconds.
        """
        access = await self._access()
        began = perf_counter()
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(
                    self._streams.get(
                        _url(access, path, query),
                        headers=[*access.headers.items(), ("Accept", accept)],
                        ssl=access.tls or True,
                        server_hostname=access.tls_name,
                        proxy=access.proxy,
                        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT, sock_connect=5, sock_read=silence),
                        allow_redirects=False,
                    )
                )
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise UnavailableError(describe_client_error(error)) from None
            _told("WATCH", path, began, status=response.status)
            if response.status == 401:
                await self._credentials.invalidate(access)
            try:
                yield response
            finally:
                _break_off(response)

    async def _access(self) -> APIEndpoint:
        try:
            return await self._credentials.endpoint()
        except CredentialsError as error:
            raise UnavailableError(str(error)) from None


async def gather(response: aiohttp.ClientResponse) -> None:
    """Let what a stream has to say gather for a moment before it is read: a line alone costs as much as a hundred."""
    transport = response.connection.transport if response.connection else None
    if transport is None or transport.is_closing():
        return
    transport.pause_reading()
    try:
        await asyncio.sleep(GATHER)
    finally:
        if not transport.is_closing():
            transport.resume_reading()


def _told(method: str, path: str, began: float, **how: object) -> None:
    """Log a call at level debug: for every one at work there are three, and their paths hold no more than names."""
    if log.isEnabledFor(logging.DEBUG):
        ms = round((perf_counter() - began) * 1000, 1)
        log.debug("call", extra={"method": method, "path": path, **how, "ms": ms})


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
        trust_env=False,  # which proxy is used is said by the access; see proxy.py
        read_bufsize=READ_BUFFER,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
        raise_for_status=False,
    )


def _break_off(response: aiohttp.ClientResponse) -> None:
    """Drop a stream that is not at its end at once: TLS's own goodbye waits for a peer that goes on sending."""
    transport = response.connection.transport if response.connection else None
    if transport is not None:
        transport.abort()


async def _body(response: aiohttp.ClientResponse) -> bytes:
    packed = "Content-Encoding" in response.headers  # then its length says nothing of what comes out
    if response.content_length is not None and response.content_length <= BODY_LIMIT and not packed:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_LIMIT:
            response.close()
            raise ResponseTooLargeError(f"an answer of more than {BODY_LIMIT:,} bytes")
    return bytes(body)


def _url(access: APIEndpoint, path: str, query: Mapping[str, str] | None) -> URL:
    # Encoded here and not again by yarl: names are legal in a path as they are.
    return URL(f"{access.server}{path}?{urlencode(query)}" if query else f"{access.server}{path}", encoded=True)


class LineTooLongError(ValueError):
    """A line longer than any object can be."""


async def iter_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Yield the lines that each piece completes, without their ends. Half a line at the end is no line.

    Raises LineTooLongError for one of more than MAX_LINE_BYTES bytes, and whatever `pieces` does.

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
            if size > MAX_LINE_BYTES:
                raise LineTooLongError(f"a line of more than {MAX_LINE_BYTES:,} bytes")
