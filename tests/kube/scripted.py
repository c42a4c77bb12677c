"""An API server that says just what its script says, a line of it a call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from atmpl.kube.access import Access
from atmpl.kube.connection import Connection

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Script:
    """What the server does, call after call, and what it was asked. When the script is over, calls hang."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.asked: list[dict[str, str]] = []  # the query of each call
        self.over = asyncio.Event()  # a call came that the script has nothing for
        self.closing = asyncio.Event()  # nobody waits for an answer any more

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if self.acts:
            return await self.acts.pop(0)(request)
        self.over.set()
        await self.closing.wait()
        return web.Response(status=503)


class Anybody:
    """Credentials without a secret."""

    def __init__(self, url: str) -> None:
        self._access = Access(url, {}, None)
        self.renewed = 0

    async def access(self) -> Access:
        return self._access

    async def renew(self) -> None:
        self.renewed += 1


@asynccontextmanager
async def connected(script: Script) -> AsyncIterator[Connection]:
    """A connection to a server that follows `script`."""
    server = web.Server(script.answer)
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with Connection(Anybody("http://{}:{}".format(*runner.addresses[0][:2]))) as connection:
            yield connection
    finally:
        script.closing.set()
        await runner.cleanup()


def stream(*lines: bytes, content_type: str = "application/json") -> Act:
    """Answer with these lines, and end."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        await response.write_eof()
        return response

    return act


def status(code: int, reason: str = "", message: str = "", **headers: str) -> Act:
    """Answer with a Status; a plain text where there is no reason."""
    body = orjson.dumps({"kind": "Status", "code": code, "reason": reason, "message": message}) if reason else b"no"

    async def act(_: web.Request) -> web.StreamResponse:
        kind = "application/json" if reason else "text/plain"
        return web.Response(status=code, body=body, headers={"Content-Type": kind, **headers})

    return act


def page(items: list[dict[str, Any]], version: str, more: str = "") -> Act:
    """Answer with a page of a list."""

    async def act(_: web.Request) -> web.StreamResponse:
        metadata = {"resourceVersion": version} | ({"continue": more} if more else {})
        return web.json_response({"metadata": metadata, "items": items})

    return act


def thing(name: str, version: int, **more: Any) -> dict[str, Any]:
    """An object."""
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version)}, **more}


def event(type: str, obj: dict[str, Any]) -> bytes:
    """A line of a watch."""
    return orjson.dumps({"type": type, "object": obj}) + b"\n"


def bookmark(version: int, *, end_of_list: bool = False) -> bytes:
    """A bookmark, the one at the end of a streamed list among them."""
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if end_of_list else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version), **annotations}})
