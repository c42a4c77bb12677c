"""The bare loop, a program of its own: makes calls that were built beforehand and does nothing else.

`python -m e2e.bench.bare FILE`: FILE is a Work. Says `ready`, starts at a line on standard input, says `done` with the
seconds that each request's calls took, and ends by SIGTERM. Answers are read and not decoded. There is no watch, no
queue and no log. The calls are made by aiohttp, as a Python program usually makes them; or on atmpl's own sockets,
which shows how much of the difference is these. Keep-alive, and uvloop where it is installed, are as atmpl has them.
"""

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
import orjson
from yarl import URL

from atmpl.kube.access import Access
from atmpl.kube.connection import CONNECT
from atmpl.kube.wires import Wires
from e2e.bench.work import Work


def main() -> None:
    """Do the work of the file that is named."""
    work = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Work)
    try:
        import uvloop  # noqa: PLC0415 - as atmpl does
    except ImportError:
        asyncio.run(_work(work))
    else:
        uvloop.run(_work(work))


async def _work(work: Work) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    tls = ssl.create_default_context(cadata=work.authority)
    seconds: list[float] = []
    async with _on_own_sockets(work, tls) if work.own_sockets else _by_aiohttp(work, tls) as serve:
        _say(message="ready")
        await loop.run_in_executor(None, sys.stdin.readline)
        left = iter(range(len(work.requests)))
        await asyncio.gather(*(_loop(serve, left, seconds) for _ in range(work.connections)))
        _say(message="done", seconds=seconds)
        await over.wait()


Serve = Callable[[int], Awaitable[None]]  # makes the calls of the request of this number


async def _loop(serve: Serve, left: Iterator[int], seconds: list[float]) -> None:
    """Take the next request as long as there are any."""
    for number in left:
        began = perf_counter()
        await serve(number)
        seconds.append(perf_counter() - began)


@asynccontextmanager
async def _by_aiohttp(work: Work, tls: ssl.SSLContext) -> AsyncIterator[Serve]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=work.keep_alive),
        trust_env=False,
        read_bufsize=work.read_buffer,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    token = {"Authorization": f"Bearer {work.token}"}
    made = [
        [
            (call.method, URL(f"{work.server}{call.path}", encoded=True), {**token, **call.headers}, call.body)
            for call in calls
        ]
        for calls in work.requests
    ]

    async def serve(number: int) -> None:
        for method, url, headers, body in made[number]:
            async with session.request(
                method, url, data=body, headers=headers, ssl=tls, allow_redirects=False
            ) as answer:
                _check(method, url.path, answer.status, await answer.read())

    async with session:
        yield serve


@asynccontextmanager
async def _on_own_sockets(work: Work, tls: ssl.SSLContext) -> AsyncIterator[Serve]:
    wires = Wires()
    access = Access(work.server, {"Authorization": f"Bearer {work.token}"}, tls)

    async def serve(number: int) -> None:
        for call in work.requests[number]:
            reply = await wires.call(access, call.method, call.path, call.headers, call.body, connect=CONNECT)
            _check(call.method, call.path, reply.status, reply.body)

    yield serve
    await wires.close()


def _check(method: str, path: str, status: int, body: bytes) -> None:
    if status >= 300:
        _say(level="error", message=f"{method} {path}: {status} {body.decode()}")


def _say(**line: object) -> None:
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
