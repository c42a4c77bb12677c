"""Diagnosis by signal, of a real process without an API server."""

import asyncio
import io
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from atmpl.manager import debug, logs
from e2e.controller import Controller
from e2e.envtest.kubeconfig import kubeconfig
from e2e.program import Program

SECRET = "hunter2"


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A kubeconfig with an address where no server listens."""
    file = tmp_path / "config"
    file.write_text(kubeconfig("http://127.0.0.1:1", b"", name="admin", token=SECRET))
    return file


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log; the root logger is restored."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    stream = io.StringIO()
    logs.set_up("json", "warning", stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def text_of(stream: io.StringIO) -> str:
    logs.flush()
    return stream.getvalue()


@pytest.fixture
async def waiting() -> AsyncIterator[None]:
    """Three tasks with the same stack and a secret in a local variable, and one that awaits a generator."""
    never = asyncio.Event()

    async def inner(password: str) -> None:
        await never.wait()
        raise AssertionError(password)

    async def outer(password: str) -> None:
        await inner(password)

    async def pieces() -> AsyncIterator[int]:
        await outer(SECRET)
        yield 1

    async def reads() -> None:
        async for _ in pieces():
            pass

    tasks = [asyncio.create_task(outer(SECRET), name=f"waiter {number}") for number in range(3)]
    tasks.append(asyncio.create_task(reads(), name="reader"))
    await asyncio.sleep(0)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.usefixtures("waiting")
async def test_debug_logs_stacks_of_tasks_without_values(written: io.StringIO) -> None:
    debug.toggle_debug("warning")
    lines = [json.loads(line) for line in text_of(written).splitlines()]
    assert lines[0]["message"] == "debug is on"
    [waiter] = [line for line in lines if line.get("task") == "waiter"]
    assert waiter["count"] == 3
    assert [place.rpartition(".")[2] for place in waiter["at"].split(" > ")] == ["outer", "inner", "wait"]
    [reader] = [line for line in lines if line.get("task") == "reader"]
    assert reader["at"].endswith("reads")
    assert SECRET not in text_of(written)


async def test_second_signal_restores_the_level(written: io.StringIO) -> None:
    debug.toggle_debug("warning")
    debug.toggle_debug("warning")
    assert json.loads(text_of(written).splitlines()[-1])["message"] == "debug is off"
    assert logging.getLogger().level == logging.WARNING


async def test_usual_level_debug_stays(written: io.StringIO) -> None:
    logging.getLogger().setLevel("DEBUG")
    for _ in range(2):
        debug.toggle_debug("debug")
    messages = [json.loads(line)["message"] for line in text_of(written).splitlines()]
    assert messages.count("debug is on") == 2
    assert logging.getLogger().level == logging.DEBUG


def test_controller_continues_while_debug_is_on(nowhere: Path) -> None:
    controller = Controller(nowhere)
    controller.start()
    try:
        controller.logged(lambda line: line["message"] == "watch failed")
        assert {line["level"] for line in controller.lines} == {"info", "warning"}
        controller.send(signal.SIGUSR1)
        watch = controller.logged(lambda line: line.get("task") == "virtualmachinetemplaterequests")
        assert "Reflector.run" in watch["at"]
        before = len(controller.lines)
        controller.send(signal.SIGUSR1)
        controller.logged(lambda line: line["message"] == "debug is off", after=before)
        assert controller.get("/healthz") == (200, "ok\n")
    finally:
        assert controller.stop() == 0
    assert controller.noise == []
    assert SECRET not in json.dumps(controller.lines)


STUCK = """
import asyncio, time
from atmpl.manager import debug

def wedged(password):
    print('{"message": "stuck"}', flush=True)
    time.sleep(600)

async def main():
    debug.listen("info")
    asyncio.get_running_loop().call_soon(wedged, "hunter2")
    await asyncio.sleep(0)

asyncio.run(main())
"""


def test_blocked_event_loop_shows_its_stack() -> None:
    program = Program([sys.executable, "-c", STUCK])
    program.start()
    try:
        program.logged(lambda line: line["message"] == "stuck")
        program.send(signal.SIGUSR2)
        with program._news:  # output that is not a log line can only be awaited so
            assert program._news.wait_for(
                lambda: any("in main" in line or "run_once" in line for line in program.noise), 30
            )
    finally:
        program.kill()
    output = "\n".join(program.noise)
    assert "in wedged" in output
    assert SECRET not in output
