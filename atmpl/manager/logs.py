"""Log lines: JSON for machines, text for people; what a line is about stands in fields of its own.

Whoever reads the logs need not be allowed to read VMs, so at no level does a line hold what is in one: an exception's
message may (`KeyError: 'hunter2'`), so of exceptions only their types and where they were raised are written.
"""

import asyncio
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

log = logging.getLogger("atmpl")

GATHER = 0.05  # seconds that a line of level info waits for others

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SILENT = ("kubernetes_asyncio",)  # logs tokens that it renews, and what plugins say; all that matters it raises too


def set_up(format: Literal["json", "text"], level: str, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged to `stream`, a line a record."""
    handler = BufferedHandler(stream)
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def flush() -> None:
    """Write what has been gathered: for who ends the process without Python's own end."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def unexpected(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an event loop has to complain of; its own handler writes the exception, and what it was about, whole."""
    what = str(context["message"]).partition("(")[0]  # behind it stand the arguments of a callback
    log.error(what, exc_info=context.get("exception"))


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what was handed to the logger as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class BufferedHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of level info that come within a moment together: to write one costs more than to make it.

    Any other line is written at once, after all that came before it, and so is one from where no event loop runs.
    `flush` writes what has been gathered; `logging.shutdown` calls it at the end of the process.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record's line."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            if record.levelno != logging.INFO or (loop := _running_loop()) is None:
                self.flush()
            elif len(self._lines) == 1:
                loop.call_later(GATHER, self.flush)
        except Exception:  # noqa: BLE001 - as logging has it: a line that cannot be written harms nobody
            self.handleError(record)

    def flush(self) -> None:
        """Write what has been gathered. Never fails: who ends the process by it goes on where nobody reads the log."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("".join(lines))
            super().flush()
        except (OSError, ValueError):  # a pipe without a reader, a full disk, a stream that is closed
            pass
        finally:
            self.release()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _Lines(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return an exception's types and frames, without its message."""
        return "caused by:\n".join(_raised(ei[1]))


def _raised(error: BaseException | None) -> Iterator[str]:
    """Yield where `error` was raised, then what it was raised from, and so on."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        met.add(id(error))
        yield "".join([f"{type(error).__qualname__}\n", *traceback.format_tb(error.__traceback__)])
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class JsonLines(_Lines):
    """One JSON object a line."""

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
        return orjson.dumps(line, default=str).decode()


class TextLines(_Lines):
    """A line as a person reads it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        more = " ".join(f"{key}={' '.join(str(value).split())}" for key, value in fields(record).items())
        line = f"{time} {record.levelname.lower():7} {record.getMessage()}  {more}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
