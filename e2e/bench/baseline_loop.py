"""The baseline: a loop that sends calls that were built beforehand, and does nothing else.

`python -m e2e.bench.baseline_loop FILE`, in a pod's environment; FILE is a Work. It prints `ready`, starts at a line on
standard input, prints `done` with the seconds that each request's calls took, and ends on SIGTERM. Event loop, garbage
collection, connection settings and calls are atmpl's. It has no watch, no queue and no log, and decodes no response.
"""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
import orjson
from yarl import URL

from atmpl.kube.client import KEEP_ALIVE_SECONDS, READ_BUFFER_BYTES
from atmpl.manager.run import run


class Call(msgspec.Struct):
    """One call."""

    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: bytes | None


class Work(msgspec.Struct):
    """The calls of each request, and how many requests are served at the same time."""

    connections: int
    requests: list[list[Call]]


def pod_session() -> aiohttp.ClientSession:
    """Return a session with the API server and the token of this pod."""
    mount = Path(os.environ["ATMPL_SERVICE_ACCOUNT"])
    return aiohttp.ClientSession(
        f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}",
        headers={"Authorization": f"Bearer {(mount / 'token').read_text()}"},
        connector=aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=ssl.create_default_context(cafile=mount / "ca.crt")
        ),
        trust_env=False,
        read_bufsize=READ_BUFFER_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _main(work: Work) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    remaining = iter([[(call, URL(call.path, encoded=True)) for call in calls] for calls in work.requests])
    seconds: list[float] = []
    async with pod_session() as session:
        _log(message="ready")
        await loop.run_in_executor(None, sys.stdin.readline)
        await asyncio.gather(*(_serve(session, remaining, seconds) for _ in range(work.connections)))
        _log(message="done", seconds=seconds)
        await stop.wait()


async def _serve(
    session: aiohttp.ClientSession, remaining: Iterator[list[tuple[Call, URL]]], seconds: list[float]
) -> None:
    for calls in remaining:
        began = perf_counter()
        for call, url in calls:
            async with session.request(
                call.method, url, data=call.body, headers=call.headers, allow_redirects=False
            ) as response:
                body = await response.read()
                if response.status >= 300:
                    _log(level="error", message=f"{call.method} {call.path}: {response.status} {body.decode()}")
        seconds.append(perf_counter() - began)


def _log(**line: object) -> None:
    print(orjson.dumps(line).decode(), flush=True)


if __name__ == "__main__":
    run(_main(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Work)))
