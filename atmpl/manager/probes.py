"""Health, readiness and metrics over HTTP: three paths, answered from memory, to untrusted clients.

A connection lives for CONNECTION_SECONDS at most, and the oldest of MAX_CONNECTIONS is closed for a new one. Slow or
idle clients therefore cannot keep the kubelet out. A malformed request costs no log line.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

log = logging.getLogger("atmpl.probes")

CONNECTION_SECONDS = 10.0  # from accept to close; a scrape takes a few milliseconds
MAX_CONNECTIONS = 128
SCRAPE_CACHE_SECONDS = 1.0  # scrapes within this time get the same text
MAX_HEADER_BYTES = 8190  # of the request line and of each header

# The two supported formats. Clients can also request other versions and escaping schemes: these make no difference for
# the names of these metrics.
OPEN_METRICS_TYPE = "application/openmetrics-text"
OPEN_METRICS, PLAIN = choose_encoder(OPEN_METRICS_TYPE), choose_encoder("")

Check = Callable[[], str]  # returns the problem, or an empty string


class Authorizer(Protocol):
    """Decides who may read /metrics."""

    async def denial(self, authorization: str) -> web.Response | None:
        """Return the response to a client that may not read the metrics; None if it may."""


class Probes:
    """The listener of the kubelet and of Prometheus, an asynchronous context manager."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        healthy: Check,
        ready: Check,
        registry: CollectorRegistry,
        authorizer: Authorizer | None = None,
    ) -> None:
        self._host = host  # empty: all addresses of the machine, IPv4 and IPv6
        self._port = port  # 0: any free port; see `address`
        self._registry = registry
        self._authorizer = authorizer
        self._paths: dict[str, Callable[[web.BaseRequest], Awaitable[web.Response]]] = {
            "/healthz": lambda _: _check(healthy),
            "/readyz": lambda _: _check(ready),
            "/metrics": self._metrics,
        }
        self._scrapes: dict[str, tuple[float, bytes]] = {}  # content type: time and text of the latest scrape
        self._open: dict[web.RequestHandler, None] = {}  # the oldest first; some can be closed already
        self._web: web.Server
        self._server: asyncio.Server
        self.address: tuple[str, int]

    async def __aenter__(self) -> Self:
        """Listen. Raises: OSError if the address is not available."""
        loop = asyncio.get_running_loop()
        log.addFilter(_is_not_of_client)
        self._web = web.Server(
            self._handle,
            logger=log,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=CONNECTION_SECONDS,
            lingering_time=0.0,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        if self._host:
            self._server = await loop.create_server(self._connect, self._host, self._port)
        else:
            self._server = await loop.create_server(self._connect, sock=_bind_all_addresses(self._port))
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._web.shutdown(timeout=0.3)

    def _connect(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        if len(self._open) >= MAX_CONNECTIONS:
            self._abort(next(iter(self._open)))
        connection = self._web()
        self._open[connection] = None
        asyncio.get_running_loop().call_later(CONNECTION_SECONDS, self._abort, connection)
        return connection

    def _abort(self, connection: web.RequestHandler) -> None:
        self._open.pop(connection, None)
        if connection.transport is not None:
            connection.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = self._paths.get(request.path)
        if answer is None:
            return web.Response(status=404, text=f"not found; the paths are {', '.join(self._paths)}\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        return await answer(request)

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        if self._authorizer and (denial := await self._authorizer.denial(request.headers.get("Authorization", ""))):
            return denial
        encode, content_type = OPEN_METRICS if OPEN_METRICS_TYPE in request.headers.get("Accept", "") else PLAIN
        now = asyncio.get_running_loop().time()
        scraped_at, text = self._scrapes.get(content_type, (-SCRAPE_CACHE_SECONDS, b""))
        if now - scraped_at >= SCRAPE_CACHE_SECONDS:
            text = encode(self._registry)
            self._scrapes[content_type] = (now, text)
        return web.Response(body=text, headers={"Content-Type": content_type})


def _bind_all_addresses(port: int) -> socket.socket:
    """Return a bound socket that accepts IPv4 and IPv6, or IPv4 only if this machine has no IPv6.

    The kubelet probes an IPv6-only pod by its IPv6 address. Raises OSError.
    """
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # IPv6 is disabled by sysctl
                raise
    return socket.create_server(("", port))


def _is_not_of_client(record: logging.LogRecord) -> bool:
    """Return True if a record of aiohttp's server is not about a malformed request, which any client can send."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _check(check: Check) -> web.Response:
    problem = check()
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
