"""Health, readiness and metrics over HTTP: three paths, answered from memory, to clients that are not trusted.

A connection lives for `LIFETIME` at most, whatever its client does or leaves undone, and the oldest of `CONNECTIONS`
makes room for a new one: clients that send a byte a minute, or never read their answer, do not keep the kubelet out.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

LIFETIME = 10.0  # seconds from accept to close; a scrape takes a few milliseconds
CONNECTIONS = 128  # at once
FRESHNESS = 1.0  # seconds for which one scrape's text serves the next
REQUEST_LIMIT = 8190  # bytes of a request's line and of each header; nobody's probe has more

# The two forms that there are. Of what else a client asks for, escaping or another version, none matters to our names,
# and each would be a text of its own to make.
OPEN_METRICS_TYPE = "application/openmetrics-text"
OPEN_METRICS, PLAIN = choose_encoder(OPEN_METRICS_TYPE), choose_encoder("")

Problem = Callable[[], str]  # what is wrong; nothing while all is well


class Probes:
    """The listener of the kubelet and of Prometheus. An asynchronous context manager: it listens while entered."""

    def __init__(self, host: str, port: int, *, healthy: Problem, ready: Problem, registry: CollectorRegistry) -> None:
        self._host = host  # empty: all addresses of the machine, IPv4 and IPv6
        self._port = port  # 0 takes a free one; `address` says which
        self._paths = {
            "/healthz": lambda _: _verdict(healthy()),
            "/readyz": lambda _: _verdict(ready()),
            "/metrics": self._metrics,
        }
        self._registry = registry
        self._scrapes: dict[str, tuple[float, bytes]] = {}  # the latest of each form, and its time
        self._open: dict[web.RequestHandler, None] = {}  # the oldest first; some may have ended meanwhile
        self._web: web.Server
        self._server: asyncio.Server
        self.address: tuple[str, int]

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError where the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._web = web.Server(
            self._answer,
            access_log=None,
            keepalive_timeout=LIFETIME,
            lingering_time=0.0,
            max_line_size=REQUEST_LIMIT,
            max_field_size=REQUEST_LIMIT,
        )
        if self._host:
            self._server = await loop.create_server(self._connection, self._host, self._port)
        else:
            self._server = await loop.create_server(self._connection, sock=_bind_all_addresses(self._port))
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._web.shutdown(timeout=0.3)

    def _connection(self) -> asyncio.Protocol:
        """Return what serves a connection that has just come."""
        if len(self._open) >= CONNECTIONS:
            self._end(next(iter(self._open)))
        connection = self._web()
        self._open[connection] = None
        asyncio.get_running_loop().call_later(LIFETIME, self._end, connection)
        return connection

    def _end(self, connection: web.RequestHandler) -> None:
        self._open.pop(connection, None)
        if connection.transport is not None:
            connection.transport.abort()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = self._paths.get(request.path)
        if answer is None:
            return web.Response(status=404, text=f"nothing here; ask {', '.join(self._paths)}\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        return answer(request)

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        encode, content_type = OPEN_METRICS if OPEN_METRICS_TYPE in request.headers.get("Accept", "") else PLAIN
        now = asyncio.get_running_loop().time()
        taken, text = self._scrapes.get(content_type, (-FRESHNESS, b""))
        if now - taken >= FRESHNESS:
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


def _verdict(problem: str) -> web.Response:
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
