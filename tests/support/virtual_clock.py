"""A virtual clock: an event loop whose time jumps to the next timer as soon as nothing else is left to do.

    @virtual
    async def test_an_hour_passes_in_a_millisecond() -> None:
        await asyncio.sleep(3600)

`virtual` makes a plain test of a coroutine, so its fixtures must be plain ones too. Sockets on the loopback work, and so
do threads: time does not advance while they are active. If all tasks wait for each other, `DeadlockError` lists them.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START = 1000.0  # seconds: where the clock begins, so that 0 can mean "never"
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)  # what `utcnow` returns at START
RESOLUTION = 1e-6  # seconds: years from now, a float still distinguishes such times
SETTLE = 0.001  # real seconds in which bytes cross the loopback
PATIENCE = 10.0  # real seconds for output of threads and children before it counts as a deadlock


class DeadlockError(Exception):
    """All tasks wait, and no timer, thread or socket can end a wait."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own."""

    def __init__(self) -> None:
        self._now = START
        self._threads = 0  # jobs that run outside the loop
        super().__init__(_Selector(self))
        self._clock_resolution = RESOLUTION

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def utcnow(self) -> datetime:
        """Return the virtual time of day."""
        return EPOCH + timedelta(seconds=self._now - START)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as when the process was stopped: every timer of these seconds is late then."""
        self._now += seconds

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads without a limit: the virtual clock would jump over asyncio's 300 s (Python 3.12)."""
        await super().shutdown_default_executor()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread; the time does not advance meanwhile."""
        self._threads += 1
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._joined)
        return future

    def _joined(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1


class _Selector(selectors.DefaultSelector):
    """Waits for sockets only as long as bytes can be on their way; then time jumps."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self._loop._threads:
            ready = super().select(PATIENCE)
            if not ready:
                tasks = "\n".join(map(repr, asyncio.all_tasks(self._loop)))
                raise DeadlockError(f"all tasks wait, and no timer is set:\n{tasks}")
            return ready
        if len(self.get_map()) > 1:  # more than the loop's own pipe
            ready = super().select(SETTLE)
            if ready:
                return ready
        self._loop.advance(timeout)
        return []


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end under a virtual clock. Tasks that it leaves behind are an error.

    Also with `-X dev` the loop keeps no traceback of each callback's creator: that takes four times as long, and there
    are thousands of scenarios. Blocking calls and remaining tasks are found without it.
    """
    with asyncio.Runner(debug=False, loop_factory=VirtualLoop) as runner:
        return runner.run(_alone(main))


async def _alone(main: Coroutine[Any, Any, T]) -> T:
    errors: list[dict[str, Any]] = []  # of callbacks, which asyncio only logs
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    result = await main
    assert errors == []
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"
    return result


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a plain test of a coroutine: it runs under a virtual clock."""

    @functools.wraps(test)
    def run_test(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return run_test


def now() -> float:
    """Return the running loop's time: the `now` of everything that takes a clock."""
    return asyncio.get_running_loop().time()


def utcnow() -> datetime:
    """Return the running loop's time of day."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.utcnow()
