"""An API server that follows a script, one step per call. It also works under a virtual clock."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from atmpl.kube.auth import APIEndpoint
from atmpl.kube.client import KubeClient

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]
JSON = "application/json"


@dataclass
class Call:
    """A received call."""

    at: float  # the loop's time
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Script:
    """What the server does, call by call, and the calls that it received. After the script, calls hang."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.calls: list[Call] = []
        self.over = asyncio.Event()  # a call came after the end of the script
        self.closing = asyncio.Event()  # hanging calls end
        self.url = ""

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query of each call."""
        return [call.query for call in self.calls]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        now = asyncio.get_running_loop().time()
        body = await request.read()
        self.calls.append(Call(now, request.method, request.path, dict(request.query), request.headers, body))
        if self.acts:
            return await self.acts.pop(0)(request)
        self.over.set()
        await self.closing.wait()
        return web.Response(status=503)


class FixedCredentials:
    """Credentials without a secret."""

    def __init__(self, url: str, **more: Any) -> None:
        self.given = APIEndpoint(url, more.pop("headers", {}), more.pop("tls", None), **more)
        self.renewed = 0

    async def endpoint(self) -> APIEndpoint:
        return self.given

    async def invalidate(self, rejected: APIEndpoint) -> None:
        assert rejected.headers == self.given.headers
        self.renewed += 1


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[str]:
    """Run a server that follows `script`; yield its URL."""
    server = web.Server(script.answer)
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    try:
        script.url = "{}://{}:{}".format("https" if tls else "http", *runner.addresses[0][:2])
        yield script.url
    finally:
        script.closing.set()
        await runner.cleanup()


@asynccontextmanager
async def connected(script: Script) -> AsyncIterator[KubeClient]:
    """Yield a client of a server that follows `script`."""
    async with serving(script) as url, KubeClient(FixedCredentials(url)) as connection:
        yield connection


def stream(*lines: bytes, content_type: str = JSON) -> Act:
    """Send these lines, and end the response."""
    return slowly(*((0, line) for line in lines), content_type=content_type)


def slowly(*lines: tuple[float, bytes], content_type: str = JSON) -> Act:
    """Send these lines, each after so many seconds, and end the response."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = await _begun(request, content_type)
        for pause, line in lines:
            await asyncio.sleep(pause)
            await response.write(line)
        await response.write_eof()
        return response

    return act


def cut_off(*lines: bytes) -> Act:
    """Send these lines, and close the connection within the response."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = await _begun(request, JSON)
        for line in lines:
            await response.write(line)
        await asyncio.sleep(0.001)  # a reset overtakes data that is in flight
        assert request.transport is not None
        request.transport.abort()
        return response

    return act


def silent(script: Script, *lines: bytes) -> Act:
    """Send these lines, and then nothing more, like a machine that has lost its network."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = await _begun(request, JSON)
        for line in lines:
            await response.write(line)
        await script.closing.wait()
        return response

    return act


async def _begun(request: web.Request, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    return response


def status(code: int, reason: str = "", message: str = "", details: Any = None, **headers: str) -> Act:
    """Respond with a Status; with plain text if there is no reason."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return text(code, orjson.dumps(body) if reason else b"no", content_type=JSON if reason else "text/plain", **headers)


def text(code: int, body: bytes, content_type: str = JSON, **headers: str) -> Act:
    """Respond with this body."""

    async def act(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, body=body, headers={"Content-Type": content_type, **headers})

    return act


def found(obj: Any, code: int = 200) -> Act:
    """Respond with an object."""
    return text(code, orjson.dumps(obj))


def page(items: list[dict[str, Any]] | None, version: str, more: str = "") -> Act:
    """Respond with a page of a list."""
    return found({"metadata": {"resourceVersion": version} | ({"continue": more} if more else {}), "items": items})


def thing(name: str, version: int, **more: Any) -> dict[str, Any]:
    """An object."""
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version)}, **more}


def event(type: str, obj: Any) -> bytes:
    """A line of a watch."""
    return orjson.dumps({"type": type, "object": obj}) + b"\n"


def bookmark(version: object, *, end_of_list: bool = False) -> bytes:
    """A bookmark, also the one at the end of a streamed list."""
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if end_of_list else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version), **annotations}})


def error_event(code: int, reason: str, message: str = "", **more: Any) -> bytes:
    """An ERROR event."""
    return event("ERROR", {"kind": "Status", "code": code, "reason": reason, "message": message, **more})
