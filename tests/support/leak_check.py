"""Tasks and sockets that were not closed: counted before a test and after it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

OPEN = Path("/proc/self/fd")
TURNS = 200  # of 5 ms: a TLS connection takes leave of its peer before it closes


def sockets() -> set[str]:
    """Return the sockets that this process has open, by the kernel's numbers; none if the kernel does not list them."""
    found = set()
    for entry in OPEN.iterdir() if OPEN.is_dir() else ():
        try:
            target = str(entry.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
async def nothing_leaks() -> AsyncIterator[None]:
    """An asynchronous test leaves no task and no socket behind, also if it fails."""
    tasks, opened = asyncio.all_tasks(), sockets()
    yield
    for _ in range(TURNS):
        left = asyncio.all_tasks() - tasks - {asyncio.current_task()}
        if not left and sockets() <= opened:
            break
        await asyncio.sleep(0.005)
    assert not left, f"tasks left behind: {left}"
    assert sockets() <= opened, "sockets left open"
