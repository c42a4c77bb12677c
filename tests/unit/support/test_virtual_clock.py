"""The virtual clock shows the right time."""

import asyncio
import threading
import time

import pytest

from tests.support import virtual_clock
from tests.support.virtual_clock import EPOCH, DeadlockError, virtual


@virtual
async def test_an_hour_passes_without_waiting() -> None:
    began, real = virtual_clock.now(), time.monotonic()
    await asyncio.sleep(3600)
    assert virtual_clock.now() - began == 3600
    assert time.monotonic() - real < 60
    assert (virtual_clock.utcnow() - EPOCH).total_seconds() == 3600


@virtual
async def test_years_pass_too() -> None:
    for _ in range(100):
        await asyncio.sleep(31_536_000.123)


@virtual
async def test_timers_ring_in_their_order() -> None:
    rung: list[float] = []

    async def ring(after: float) -> None:
        await asyncio.sleep(after)
        rung.append(after)

    await asyncio.gather(*(ring(after) for after in (5, 0.1, 86400, 3)))
    assert rung == [0.1, 3, 5, 86400]


@virtual
async def test_time_does_not_advance_during_a_thread() -> None:
    release = threading.Event()
    timer = asyncio.create_task(asyncio.sleep(1))
    work = asyncio.create_task(asyncio.to_thread(release.wait))
    threading.Timer(0.05, release.set).start()
    await work
    assert not timer.done()
    await timer


@virtual
async def test_time_does_not_advance_during_loopback_io() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        for _ in range(100):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with asyncio.timeout(0.001):
                writer.write(b"ping")
                assert await reader.readexactly(4) == b"ping"
            writer.close()
            await writer.wait_closed()


@virtual
async def test_suspended_process_resumes_late() -> None:
    loop = asyncio.get_running_loop()
    timer = asyncio.create_task(asyncio.sleep(1))
    await asyncio.sleep(0)
    loop.advance(30)
    await timer
    assert virtual_clock.now() == virtual_clock.START + 30


def test_wait_without_an_event_is_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_clock, "PATIENCE", 0.01)

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match="all tasks wait"):
        virtual_clock.run(wait())


def test_a_task_left_behind_is_an_error() -> None:
    kept = []

    async def leave() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(1000)))

    with pytest.raises(AssertionError, match="left behind"):
        virtual_clock.run(leave())
