"""Something turns while a person waits: on a terminal only, on standard error, on one line that leaves no trace."""

import asyncio
import sys
from itertools import cycle
from time import monotonic
from types import TracebackType
from typing import Self

from atmpl.cli import terminal

TURN = 0.1  # seconds between two pictures
_DOTS, _PLAIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"


class Spinner:
    """An async context manager; `text` is what stands beside it, and may change at any time."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if terminal.moves(sys.stderr):
            self._task = asyncio.create_task(self._turn())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            terminal.settle()

    async def _turn(self) -> None:
        pictures = _DOTS if (sys.stderr.encoding or "").lower().startswith("utf") else _PLAIN
        begun = monotonic()
        for picture in cycle(pictures):
            terminal.draw(f"{picture} {monotonic() - begun:.0f} s  {self.text}")
            await asyncio.sleep(TURN)
