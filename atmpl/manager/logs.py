"""Log lines: JSON for machines, text for people. The subject of a line is in fields of its own.

Readers of the log can lack the right to read VMs. Therefore no line at any level contains a value of a VM. The message
of an exception can contain one (`KeyError: 'hunter2'`), so only types and stack frames of exceptions are written.
"""

import asyncio
import errno
import logging
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal, TextIO

import orjson

from atmpl.template.printable import printable

log = logging.getLogger("atmpl")

BATCH_SECONDS = 0.05  # the writer collects lines for this long: one write of many lines is cheaper than many writes
MAX_WAITING_LINES = 10_000  # lines that wait for a reader; further lines are dropped and counted
FLUSH_TIMEOUT_SECONDS = 0.5

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SILENT = ("kubernetes_asyncio",)  # logs renewed tokens and plugin output; it also raises everything that matters


def set_up(format: Literal["json", "text"], level: str, stream: TextIO | None = None) -> None:
    """Send all log records to `stream` (default: standard error), one line per record."""
    # Standard error can be closed.
    handler = BufferedHandler(stream or sys.stderr or Path(os.devnull).open("w"))  # noqa: SIM115 - until the process ends
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def flush() -> None:
    """Write the waiting lines, before a call of os._exit. Returns after FLUSH_TIMEOUT_SECONDS at the latest."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def dropped_lines() -> int:
    """Return the number of lines that were lost because the reader of the log was too slow or absent."""
    return sum(it.dropped for it in logging.getLogger().handlers if isinstance(it, BufferedHandler))


def log_loop_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of the event loop without values: asyncio's own handler writes the exception and its arguments."""
    message = str(context["message"]).partition("(")[0]  # a callback's arguments follow in parentheses
    log.error(message, exc_info=context.get("exception"))


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields that the caller passed as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class BufferedHandler(logging.Handler):
    """Write lines in a thread, so that a slow reader of the log never blocks the event loop.

    Lines that exceed MAX_WAITING_LINES are dropped. Their number is logged when the reader continues. The thread is a
    daemon and writes to the file descriptor itself: the process can exit while a write blocks.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.dropped = 0
        self._reported = 0  # dropped lines that a line reports
        # A string is a line, an Event is a request to flush, None ends the thread.
        self._waiting: SimpleQueue[str | threading.Event | None] = SimpleQueue()
        threading.Thread(target=self._write_lines, name="log writer", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Enqueue the line of a record. Never blocks."""
        try:
            if self._waiting.qsize() >= MAX_WAITING_LINES:
                self.dropped += 1
            else:
                self._waiting.put(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - logging's rule: a record that cannot be formatted does not end the caller
            self.dropped += 1

    def flush(self) -> None:
        """Wait until all enqueued lines are written, for FLUSH_TIMEOUT_SECONDS at most. Raises nothing."""
        written = threading.Event()
        self._waiting.put(written)
        written.wait(FLUSH_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Write the waiting lines and end the thread."""
        self.flush()
        self._waiting.put(None)
        super().close()

    def _write_lines(self) -> None:
        while True:
            batch = [self._waiting.get()]
            if isinstance(batch[0], str):
                time.sleep(BATCH_SECONDS)
            batch += self._take_waiting()
            lines = [item for item in batch if isinstance(item, str)]
            if self.dropped > self._reported:
                lines.append(self._line_of_dropped())
            if lines:
                self._write("".join(lines))
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
            if None in batch:
                return

    def _take_waiting(self) -> list[str | threading.Event | None]:
        items = []
        try:
            while True:
                items.append(self._waiting.get_nowait())
        except Empty:
            return items

    def _line_of_dropped(self) -> str:
        new, self._reported = self.dropped - self._reported, self.dropped
        record = log.makeRecord(log.name, logging.WARNING, "", 0, "log lines dropped", (), None, extra={"count": new})
        return self.format(record) + "\n"

    def _write(self, text: str) -> None:
        """Write `text`. A closed pipe or a full disk loses it: there is no other place to report that."""
        try:
            descriptor = self.stream.fileno()
        except (OSError, ValueError):  # a stream in memory
            try:
                self.stream.write(text)
                self.stream.flush()
            except (OSError, ValueError):
                pass
            return
        rest = memoryview(text.encode(errors="backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    return
                select.select([], [descriptor], [])  # another process set O_NONBLOCK on the shared pipe


class _Lines(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return types and frames of an exception and its causes, without their messages."""
        return "caused by:\n".join(_tracebacks(ei[1]))


def _tracebacks(error: BaseException | None) -> Iterator[str]:
    """Yield the type and the frames of `error`, of its cause, and so on."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield "".join([f"{type(error).__qualname__}\n", *traceback.format_tb(error.__traceback__)])
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class JsonLines(_Lines):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return printable(orjson.dumps(line, default=str).decode())


class TextLines(_Lines):
    """A line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        more = " ".join(f"{key}={' '.join(str(value).split())}" for key, value in fields(record).items())
        line = printable(f"{time} {record.levelname.lower():7} {record.getMessage()}  {more}".rstrip())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
