"""Blocking calls in an event loop: refused in atmpl, and recorded if another package catches the error."""

import asyncio
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

import atmpl
from e2e.blocking_check import refused

# A module of atmpl's, for as long as a test lasts.
BLOCKS = """
import time

async def sleep():
    time.sleep(0)

async def swallow():
    try:
        time.sleep(0)
    except Exception:
        pass

async def elsewhere():
    await __import__("asyncio").to_thread(time.sleep, 0)
"""


@pytest.fixture
def module() -> ModuleType:
    module = ModuleType("atmpl.blocks")
    file = Path(atmpl.__path__[0]) / "blocks.py"
    exec(compile(BLOCKS, str(file), "exec"), vars(module))
    return module


async def test_blocking_call_is_refused_and_recorded(module: ModuleType, blocking_calls: list[str]) -> None:
    with pytest.raises(Exception, match=r"Blocking call to time.sleep"):
        await module.sleep()
    assert [met.splitlines()[0] for met in blocking_calls] == ["time.sleep blocks:"]
    assert "blocks.py" in blocking_calls[0]
    blocking_calls.clear()


async def test_swallowed_refusal_is_recorded(module: ModuleType, blocking_calls: list[str]) -> None:
    await module.swallow()
    assert len(blocking_calls) == 1
    blocking_calls.clear()


async def test_threads_and_other_packages_may_block(module: ModuleType) -> None:
    await module.elsewhere()
    time.sleep(0)  # noqa: ASYNC251 - a test may


def test_blocking_without_a_loop_is_allowed(module: ModuleType) -> None:
    coroutine = module.sleep()
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_checked_program_reports_refused_calls() -> None:
    script = (
        "import sys, asyncio, e2e.blocking_check as b, atmpl.cli.main as c, types; m = types.ModuleType('m'); "
        f"exec(compile({BLOCKS!r}, c.__file__, 'exec'), vars(m)); "
        "c.main = lambda: asyncio.run(m.swallow()) or 0; sys.exit(b.main())"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE)
    _, output = await process.communicate()
    assert output.decode().startswith("time.sleep blocks:\n")
    assert process.returncode == 0


def test_check_restores_the_functions() -> None:
    before = time.sleep
    with refused():
        assert time.sleep is not before
    assert time.sleep is before
