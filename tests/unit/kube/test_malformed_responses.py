"""Responses of any size and type, also of programs that are not API servers: they are bounded and never quoted."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import pytest
from aiohttp import web

from atmpl.controller.cluster import UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.kube import client as module
from atmpl.kube.auth import APIEndpoint
from atmpl.kube.client import KubeClient
from atmpl.kube.reflector import NeedsList, Reflector, StreamError, WatchTarget
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from tests.support.scripted_server import Act, Script, connected, event, status, stream

SECRET = "hunter2-4711"
LIMIT = 100_000  # bytes, for these tests

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", LIMIT)


def body(data: bytes, *, chunked: bool = False, **headers: str) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
        if not chunked:
            response.content_length = len(data)
        await response.prepare(request)
        try:
            for start in range(0, len(data), 8192):
                await response.write(data[start : start + 8192])
        except ConnectionError:  # the client has closed the connection
            return response
        await response.write_eof()
        return response

    return act


BOMB = b"0" * 50 * LIMIT
SIZES: dict[str, tuple[Act, bool]] = {  # a response, and whether it is accepted
    "as much as fits": (body(b"1" * LIMIT), True),
    "as much as fits, in chunks": (body(b"1" * LIMIT, chunked=True), True),
    "as much as fits, packed": (body(gzip.compress(b"1" * LIMIT), **{"Content-Encoding": "gzip"}), True),
    "a byte more": (body(b"1" * (LIMIT + 1)), False),
    "a byte more, in chunks": (body(b"1" * (LIMIT + 1), chunked=True), False),
    "a bomb": (body(gzip.compress(BOMB), **{"Content-Encoding": "gzip"}), False),
    "a bomb in chunks": (body(zlib.compress(BOMB), chunked=True, **{"Content-Encoding": "deflate"}), False),
}


@pytest.mark.parametrize(("act", "taken"), SIZES.values(), ids=SIZES)
async def test_response_size_is_limited_after_decompression(act: Act, taken: bool) -> None:
    async with connected(Script(act)) as connection:
        if taken:
            assert len((await connection.call("GET", "/a")).body) == LIMIT
        else:
            with pytest.raises(UnavailableError, match="a response of more than 100,000 bytes"):
                await connection.call("GET", "/a")


async def test_redirects_are_not_followed() -> None:
    script = Script(status(302, Location="/elsewhere"), status(200))
    async with connected(script) as connection:
        assert (await connection.call("GET", "/a")).status == 302
    assert len(script.queries) == 1


@asynccontextmanager
async def peer(response: bytes, **headers: str) -> AsyncIterator[KubeClient]:
    """Return a client of a server that sends these bytes and closes the connection."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        await writer.drain()
        writer.close()

    class PlainCredentials:
        async def endpoint(self) -> APIEndpoint:
            return APIEndpoint(url, headers, None)

        async def invalidate(self, rejected: APIEndpoint) -> None: ...

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with KubeClient(PlainCredentials()) as connection:
            yield connection
    finally:
        server.close()
        await server.wait_closed()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NOISE: dict[str, bytes] = {
    "nothing": b"",
    "another protocol": f"SSH-2.0-{SECRET}\r\n".encode(),
    "a status that is none": f"HTTP/1.1 {SECRET}\r\n\r\n".encode(),
    "a header that is none": HEAD + f"{SECRET} : a\x00b\r\n\r\n".encode(),
    "a header without an end": HEAD + b"A: " + SECRET.encode() * 10_000,
    "a chunk that is none": HEAD + f"Transfer-Encoding: chunked\r\n\r\n{SECRET}\r\n".encode(),
    "half a body": HEAD + f"Content-Length: 1000\r\n\r\n{SECRET}".encode(),
    "a length that is none": HEAD + f"Content-Length: {SECRET}\r\n\r\n".encode(),
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n",
    "a body with another encoding than its header has": HEAD
    + f"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n{SECRET}".encode(),
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
async def test_invalid_http_is_unavailable_and_not_quoted(noise: bytes) -> None:
    async with peer(noise) as connection:
        with pytest.raises(UnavailableError) as failed:
            await connection.call("GET", "/a")
        assert SECRET not in str(failed.value)
        with pytest.raises(StreamError) as broke:
            await watching(connection).step(NeedsList())
        assert SECRET not in str(broke.value)


def watching(connection: KubeClient, sink: Any = None) -> Reflector:
    return Reflector(
        WatchTarget("/a"), connection, sink or VMStore(lambda _: None, {ObjectKey("b", "a")}), random=Random(0)
    )


TOKENS = {"a line break": f"Bearer {SECRET}\r\nA: b", "half a character": f"Bearer {SECRET}\ud800"}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
async def test_invalid_token_is_not_quoted(token: str) -> None:
    async with peer(b"", Authorization=token) as connection:
        with pytest.raises(UnavailableError) as failed:
            await connection.call("GET", "/a")
        with pytest.raises(StreamError) as broke:
            await watching(connection).step(NeedsList())
    assert SECRET not in f"{failed.value} {broke.value}"


def sinks() -> dict[str, Any]:
    return {
        "requests": RequestStore(lambda _, **__: None),
        "VMs": VMStore(lambda _: None, {ObjectKey("b", "a")}),
        "templates": TemplateStore(lambda _: None),
    }


VALUES = (None, 17, 1e300, True, "text", [], [SECRET], {}, {SECRET: SECRET}, {"a": {"b": []}})
PLACES = (
    *[("metadata", field) for field in ("name", "namespace", "uid", "resourceVersion", "generation", "labels")],
    *[("metadata", field) for field in ("annotations", "creationTimestamp", "deletionTimestamp")],
    *[("status", field) for field in ("conditions", "observedGeneration", "rendered", "templateRef", "warnings")],
    *[("spec", field) for field in ("source", "target", "refreshPolicy", "options", "ttlSecondsAfterFinished")],
    ("metadata",),
    ("spec",),
    ("status",),
    (),
)


def changed(place: tuple[str, ...], value: Any) -> Any:
    found: dict[str, Any] = {
        "metadata": {"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "7", "generation": 1},
        "spec": {"source": {"vmName": "a"}, "target": {"openshiftTemplate": {}}},
        "status": {},
    }
    if not place:
        return value
    holder = found if len(place) == 1 else found[place[0]]
    holder[place[-1]] = value
    return found


@pytest.mark.parametrize("kind", sinks())
@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(place) or "all of it")
async def test_object_of_any_shape_is_stored_or_rejected(kind: str, place: tuple[str, ...]) -> None:
    types = ("ADDED", "DELETED", "BOOKMARK", "ERROR")
    lines = [event(type, changed(place, value)) for value in VALUES for type in types]
    async with connected(Script(*map(stream, lines))) as connection:
        for line in lines:
            with pytest.raises(StreamError) as broke:  # at the latest because the list ends before it is complete
                await watching(connection, sinks()[kind]).step(NeedsList())
            assert SECRET not in str(broke.value), line


@pytest.mark.parametrize("version", ["9" * 5_000, "", "x", "٣", "-1", "1e9"])
async def test_resource_version_is_an_opaque_string(version: str) -> None:
    requests = RequestStore(lambda _, **__: None)
    request = changed(("metadata", "resourceVersion"), version)
    requests.upsert(msgspec.Raw(msgspec.json.encode(request)))
    found = requests.get(ObjectKey("b", "a"))
    assert found is not None
    requests.expect_write(found, {})
    requests.record_write(found, "8")
    requests.upsert(msgspec.Raw(msgspec.json.encode(changed(("metadata", "resourceVersion"), f"{version}1"))))
    assert requests.get(ObjectKey("b", "a")).resource_version == f"{version}1"
