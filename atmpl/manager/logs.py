"""Log lines: JSON for machines, text for people; what a line is about stands in fields of its own."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(format: Literal["json", "text"], level: str, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged to `stream`, a line a record."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what was handed to the logger as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class JsonLines(logging.Formatter):
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


class TextLines(logging.Formatter):
    """A line as a person reads it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        more = " ".join(f"{key}={value}" for key, value in fields(record).items())
        line = f"{time} {record.levelname.lower():7} {record.getMessage()}  {more}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
