"""The bare loop, a program of its own: makes calls that were built beforehand and does nothing else.

`python -m e2e.bench.bare FILE`: FILE is a Work. Says `ready`, starts at a line on standard input, says `done` with the
seconds that each request's calls took, and ends by SIGTERM. Answers are read and not decoded. There is no watch, no
queue and no log. What decides over the speed of a connection is as atmpl has it: aiohttp, keep-alive, the same
buffers, uvloop where it is installed. It looks at each answer as it comes, where atmpl lets those of a crowd gather.
"""

import asyncio
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

from e2e.bench.work import Call, Work


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
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=work.keep_alive),
        trust_env=False,
        read_bufsize=work.read_buffer,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    tls = ssl.create_default_context(cadata=work.authority)
    ready = [[_made(work, call) for call in calls] for calls in work.requests]
    seconds: list[float] = []
    left = iter(ready)
    async with session:
        _say(message="ready")
        await loop.run_in_executor(None, sys.stdin.readline)
        await asyncio.gather(*(_loop(session, tls, left, seconds) for _ in range(work.connections)))
        _say(message="done", seconds=seconds)
        await over.wait()


RenderedTemplate = tuple[str, URL, dict[str, str], bytes | None]


def _made(work: Work, call: Call) -> RenderedTemplate:
    url = URL(f"{work.server}{call.path}", encoded=True)
    return call.method, url, {"Authorization": f"Bearer {work.token}", **call.headers}, call.body


async def _loop(
    session: aiohttp.ClientSession, tls: ssl.SSLContext, left: Iterator[list[RenderedTemplate]], seconds: list[float]
) -> None:
    """Take the next request as long as there are any."""
    for calls in left:
        began = perf_counter()
        for method, url, headers, body in calls:
            async with session.request(
                method, url, data=body, headers=headers, ssl=tls, allow_redirects=False
            ) as answer:
                read = await answer.read()
                if answer.status >= 300:
                    _say(level="error", message=f"{method} {url.path}: {answer.status} {read.decode()}")
        seconds.append(perf_counter() - began)


def _say(**line: object) -> None:
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
