"""What the process is doing, asked of it by signal: it goes on working, and tells nothing of what it works on.

| signal | what it does |
|---|---|
| SIGUSR1 | log at level debug, and first where every task stands; once more: as before |
| SIGUSR2 | write where every thread stands, also where the event loop no longer turns |

Both show modules, functions and lines, never a value.
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
_NEXT = ("cr_await", "gi_yieldfrom", "ag_await")  # what each of them waits for


def listen(usual: str) -> None:
    """Obey both signals from now on; `usual` is the level that the second SIGUSR1 brings back."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, switch, usual)
    faulthandler.register(signal.SIGUSR2, all_threads=True)


def switch(usual: str) -> None:
    """Go from the usual level to debug, or back; where debug is the usual one, say only where the tasks stand."""
    root = logging.getLogger()
    if root.level == logging.DEBUG and usual.upper() != "DEBUG":
        log.debug("debug is off")
        root.setLevel(usual.upper())
        return
    root.setLevel(logging.DEBUG)
    log.debug("debug is on")
    for (task, at), count in sorted(Counter(map(_standing, asyncio.all_tasks())).items()):
        log.debug("tasks", extra={"task": task, "count": count, "at": at})


def _standing(task: asyncio.Task[Any]) -> tuple[str, str]:
    """Return a task's name without its number, and where it stands, the innermost call last."""
    at = " > ".join(map(_place, _frames(task.get_coro())))
    return task.get_name().rstrip("-0123456789 "), at


def _frames(awaited: object) -> Iterator[FrameType]:
    """Yield the frames from a task's coroutine down to what it waits for; `Task.get_stack` knows the first only."""
    while awaited is not None:
        frame = _first(awaited, _FRAMES)
        if frame is None:  # a future, or something made in C
            return
        yield frame
        awaited = _first(awaited, _NEXT)


def _first(of: object, names: tuple[str, ...]) -> Any:
    return next((value for name in names if (value := getattr(of, name, None)) is not None), None)


def _place(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno} {frame.f_code.co_qualname}"
