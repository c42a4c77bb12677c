"""Diagnosis by signal, while the process continues to work.

| signal | effect |
|---|---|
| SIGUSR1 | log the stack of every task, then log at level debug; a second one restores the level |
| SIGUSR2 | write the stack of every thread, also if the event loop is blocked |

Both show modules, functions and line numbers, never a value.
"""

import asyncio
import faulthandler
import logging
import signal
from collections import Counter
from collections.abc import Iterator
from types import FrameType
from typing import Any

log = logging.getLogger("atmpl")

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")  # of a coroutine, a generator and an asynchronous generator
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")  # what each of them awaits


def listen(usual_level: str) -> None:
    """Handle both signals from now on; a second SIGUSR1 restores `usual_level`."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, toggle_debug, usual_level)
    faulthandler.register(signal.SIGUSR2, all_threads=True)


def toggle_debug(usual_level: str) -> None:
    """Switch between the usual level and debug. If debug is the usual level, only log the stacks of the tasks."""
    root = logging.getLogger()
    if root.level == logging.DEBUG and usual_level.upper() != "DEBUG":
        log.debug("debug is off")
        root.setLevel(usual_level.upper())
        return
    root.setLevel(logging.DEBUG)
    log.debug("debug is on")
    for (task, stack), count in sorted(Counter(map(_describe, asyncio.all_tasks())).items()):
        log.debug("tasks", extra={"task": task, "count": count, "at": stack})


def _describe(task: asyncio.Task[Any]) -> tuple[str, str]:
    """Return a task's name without its number, and its stack with the innermost call last."""
    stack = " > ".join(map(_location, _frames(task.get_coro())))
    return task.get_name().rstrip("-0123456789 "), stack


def _frames(awaitable: object) -> Iterator[FrameType]:
    """Yield the frames from a task's coroutine to what it awaits; `Task.get_stack` returns only the first."""
    while awaitable is not None:
        frame = _first_attribute(awaitable, _FRAMES)
        if frame is None:  # a future, or an awaitable implemented in C
            return
        yield frame
        awaitable = _first_attribute(awaitable, _AWAITED)


def _first_attribute(of: object, names: tuple[str, ...]) -> Any:
    return next((value for name in names if (value := getattr(of, name, None)) is not None), None)


def _location(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno} {frame.f_code.co_qualname}"
