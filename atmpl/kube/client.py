"""An HTTP client for one API server, over persistent connections. Watches have a session of their own."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic, perf_counter
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from atmpl.controller.cluster import UnavailableError
from atmpl.kube.auth import APIEndpoint, Credentials, CredentialsError
from atmpl.kube.redaction import describe_client_error
from atmpl.kube.response import Response
from atmpl.version import __version__

log = logging.getLogger("atmpl")

CallObserver = Callable[[str, str, float], None]  # HTTP method or WATCH, status or "<error>", seconds

USER_AGENT: Final = f"atmpl/{__version__}"
FIELD_MANAGER: Final = "atmpl-controller"  # in the managedFields of what the controller writes
CONNECT_TIMEOUT_SECONDS: Final = 10.0  # name resolution and all handshakes, the proxy's included
SOCKET_CONNECT_TIMEOUT_SECONDS: Final = 5.0
CALL_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=30, connect=CONNECT_TIMEOUT_SECONDS, sock_connect=SOCKET_CONNECT_TIMEOUT_SECONDS
)
MAX_BODY_BYTES: Final = 64 * 2**20  # the largest valid response is a page of a list
KEEP_ALIVE_SECONDS: Final = 60.0  # of an idle connection; the API server closes it after 90
MAX_LINE_BYTES: Final = (
    32 * 2**20
)  # the longest valid line is an object of the server's limit, 3 MiB with its managedFields
READ_BUFFER_BYTES: Final = 2**21  # a watch's lines arrive in chunks of up to this size
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ServerClock:
    """The API server's time: its last `Date` header plus the monotonic time since then.

    The header has a resolution of one second, so only the first response with a new value sets the clock.
    """

    def __init__(self, *, monotonic: Callable[[], float] = monotonic) -> None:
        self._monotonic = monotonic
        self._header = ""
        self._at = 0.0  # monotonic time of the header
        self._date: datetime | None = None

    def observe(self, header: str | None) -> None:
        """Set the clock to the `Date` header of a response."""
        if not header or header == self._header:
            return
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return
        if date.tzinfo is not None:
            self._header, self._date, self._at = header, date, self._monotonic()

    def skew(self) -> float:
        """Return by how many seconds the local clock is ahead of the server's; 0 before the first response."""
        return (datetime.now(UTC) - self.now()).total_seconds()

    def now(self) -> datetime:
        """Return the server's time; the local time before the first response."""
        if self._date is None:
            return datetime.now(UTC)
        return self._date + timedelta(seconds=self._monotonic() - self._at)


class ResponseTooLargeError(UnavailableError):
    """The response has more than MAX_BODY_BYTES bytes. A smaller page can succeed."""


class LineTooLongError(ValueError):
    """A line is longer than any object can be."""


class KubeClient:
    """A client of one API server, as one user. Use it as an async context manager.

    A call without a response raises UnavailableError. Responses of any status are returned.
    """

    def __init__(self, credentials: Credentials, observe: CallObserver = lambda *_: None) -> None:
        self._credentials = credentials
        self.clock = ServerClock()
        self._observe = observe
        self._calls: aiohttp.ClientSession
        self._watches: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._calls, self._watches = _session(), _session()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._calls.close()
        await self._watches.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = CALL_TIMEOUT,
    ) -> Response:
        """Make one call. `query` is percent-encoded; `path` is not, because Kubernetes' names are valid in it.

        Raises:
            UnavailableError: there is no response.
        """
        endpoint = await self._endpoint()
        began = perf_counter()
        try:
            async with self._calls.request(
                method,
                _url(endpoint, path, query),
                data=body,
                headers=[*endpoint.headers.items(), *(headers or {}).items()],
                ssl=endpoint.tls or True,
                server_hostname=endpoint.tls_name,
                proxy=endpoint.proxy,
                timeout=timeout,
                allow_redirects=False,
            ) as reply:
                self.clock.observe(reply.headers.get("Date"))
                response = Response(reply.status, await _body(reply), reply.headers.get("Retry-After"), path)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._record(method, path, began, why=describe_client_error(error))
            raise UnavailableError(describe_client_error(error)) from None
        self._record(method, path, began, status=response.status)
        if response.status == 401:
            await self._credentials.invalidate(endpoint)
        return response

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], accept: str, read_timeout: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a stream of lines.

        Reading it raises aiohttp.ClientError and OSError, TimeoutError if nothing arrives for `read_timeout` seconds.

        Raises:
            UnavailableError: there is no response.
        """
        endpoint = await self._endpoint()
        began = perf_counter()
        async with AsyncExitStack() as stack:
            try:
                reply = await stack.enter_async_context(
                    self._watches.get(
                        _url(endpoint, path, query),
                        headers=[*endpoint.headers.items(), ("Accept", accept)],
                        ssl=endpoint.tls or True,
                        server_hostname=endpoint.tls_name,
                        proxy=endpoint.proxy,
                        timeout=aiohttp.ClientTimeout(
                            total=None,
                            connect=CONNECT_TIMEOUT_SECONDS,
                            sock_connect=SOCKET_CONNECT_TIMEOUT_SECONDS,
                            sock_read=read_timeout,
                        ),
                        allow_redirects=False,
                    )
                )
            except (aiohttp.ClientError, OSError, ValueError) as error:
                self._record("WATCH", path, began, why=describe_client_error(error))
                raise UnavailableError(describe_client_error(error)) from None
            self.clock.observe(reply.headers.get("Date"))
            self._record("WATCH", path, began, status=reply.status)
            if reply.status == 401:
                await self._credentials.invalidate(endpoint)
            try:
                yield reply
            finally:
                _abort(reply)

    def _record(self, method: str, path: str, began: float, status: int | None = None, why: str = "") -> None:
        """Count a call, and log it at level debug. A path contains nothing but names."""
        seconds = perf_counter() - began
        self._observe(method, str(status) if status is not None else "<error>", seconds)
        if log.isEnabledFor(logging.DEBUG):
            result: dict[str, object] = {"why": why} if status is None else {"status": status}
            log.debug("call", extra={"method": method, "path": path, **result, "ms": round(seconds * 1000, 1)})

    async def _endpoint(self) -> APIEndpoint:
        try:
            return await self._credentials.endpoint()
        except CredentialsError as error:
            raise UnavailableError(str(error)) from None


async def iter_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Yield the lines that each chunk completes, without line ends. An incomplete line at the end is dropped.

    It yields lists, not single lines: the first list of 100,000 VMs arrives in a few hundred chunks.

    Raises:
        LineTooLongError: a line has more than MAX_LINE_BYTES bytes. Exceptions of `chunks` are passed on.
    """
    incomplete: list[bytes] = []  # the parts of the last line so far
    size = 0  # their bytes
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        if complete:
            complete[0] = b"".join([*incomplete, complete[0]])
            incomplete, size = [], 0
            yield complete
        if rest:
            incomplete.append(rest)
            size += len(rest)
            if size > MAX_LINE_BYTES:
                raise LineTooLongError(f"a line of more than {MAX_LINE_BYTES:,} bytes")


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
        headers={"User-Agent": USER_AGENT},
        trust_env=False,  # the endpoint names the proxy; see auth/proxy.py
        read_bufsize=READ_BUFFER_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
        raise_for_status=False,
    )


def _abort(reply: aiohttp.ClientResponse) -> None:
    """Close an unfinished stream at once: the TLS shutdown would wait for a peer that continues to send."""
    transport = reply.connection.transport if reply.connection else None
    if transport is not None:
        transport.abort()


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    is_compressed = "Content-Encoding" in reply.headers  # its length is not the body's
    if reply.content_length is not None and reply.content_length <= MAX_BODY_BYTES and not is_compressed:
        return await reply.read()
    body = bytearray()
    async for chunk in reply.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            reply.close()
            raise ResponseTooLargeError(f"a response of more than {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


def _url(endpoint: APIEndpoint, path: str, query: Mapping[str, str] | None) -> URL:
    # Already encoded: yarl would encode it again.
    return URL(f"{endpoint.server}{path}?{urlencode(query)}" if query else f"{endpoint.server}{path}", encoded=True)
