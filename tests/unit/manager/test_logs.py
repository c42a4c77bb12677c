"""Log lines: their format, and that no line contains the message of an exception."""

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from atmpl.manager import logs

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore the root logger."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture(params=["json", "text"])
def written(request: pytest.FixtureRequest) -> io.StringIO:
    """The log at level debug."""
    stream = io.StringIO()
    logs.set_up(request.param, "debug", stream)
    return stream


def text_of(stream: io.StringIO) -> str:
    logs.flush()
    return stream.getvalue()


def fails(secret: str) -> None:
    """Raise an exception with the secret in its message and in those of its causes."""
    try:
        try:
            {}[secret]
        except KeyError as error:
            raise ValueError(secret) from error
    except ValueError:
        int(secret)


def test_exception_is_logged_without_its_message(written: io.StringIO) -> None:
    try:
        fails(SECRET)
    except ValueError:
        logging.getLogger("atmpl").exception("it failed")
    line = text_of(written)
    assert SECRET not in line
    for word in ("it failed", "KeyError", "ValueError", "test_logs.py", "in fails", "caused by:"):
        assert word in line


def test_json_line_has_fields() -> None:
    stream = io.StringIO()
    logs.set_up("json", "info", stream)
    logging.getLogger("atmpl").info("Rendered", extra={"request": "a/b", "ms": 1.5})
    line = json.loads(text_of(stream))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "message": "Rendered", "request": "a/b", "ms": 1.5}


def test_text_record_is_one_line() -> None:
    stream = io.StringIO()
    logs.set_up("text", "info", stream)
    logging.getLogger("atmpl").info("Failed", extra={"why": "one\n12:00:00 error   another"})
    assert text_of(stream).endswith("info    Failed  why=one 12:00:00 error another\n")
    assert text_of(stream).count("\n") == 1


def test_text_record_has_no_control_characters() -> None:
    stream = io.StringIO()
    logs.set_up("text", "info", stream)
    logging.getLogger("atmpl").info("Failed", extra={"why": "\x1b[31m\u202e"})
    assert text_of(stream).endswith("why=\\u001b[31m\\u202e\n")


def test_json_record_has_no_control_characters() -> None:
    stream = io.StringIO()
    logs.set_up("json", "info", stream)
    logging.getLogger("atmpl").info("Failed", extra={"why": "\x1b[31m\x9b\u202e"})
    line = text_of(stream)
    assert line.removesuffix("\n").isprintable()
    assert json.loads(line)["why"] == "\x1b[31m\x9b\u202e"


class _Reader:
    """The reading end of a pipe that is the log."""

    def __init__(self) -> None:
        self.descriptor, writing = os.pipe()
        self.stream = os.fdopen(writing, "w")

    def read(self) -> str:
        return os.read(self.descriptor, 2**20).decode()

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@pytest.fixture
def pipe() -> Iterator[_Reader]:
    reader = _Reader()
    yield reader
    logs.flush()
    reader.close()
    with suppress(OSError):
        reader.stream.close()


def test_lines_are_written_in_order(pipe: _Reader) -> None:
    logs.set_up("json", "debug", pipe.stream)
    levels = [logging.INFO, logging.DEBUG, logging.WARNING] * 100
    for number, level in enumerate(levels):
        logging.getLogger("atmpl").log(level, "Rendered", extra={"number": number})
    logs.flush()
    assert [json.loads(line)["number"] for line in pipe.read().splitlines()] == [*range(300)]


def test_full_pipe_does_not_block_and_loss_is_reported(pipe: _Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_WAITING_LINES", 100)
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT_SECONDS", 0.01)
    logs.set_up("json", "info", pipe.stream)
    sent = 0
    while logs.dropped_lines() < 10:  # 64 KiB fill the pipe, then the queue fills
        logging.getLogger("atmpl").info("Rendered", extra={"number": sent, "padding": "x" * 4096})
        sent += 1
        if sent % 50 == 0:
            logs.flush()
    lost, text = logs.dropped_lines(), ""
    while "log lines dropped" not in text:
        text += pipe.read()
    lines = [json.loads(line) for line in text.splitlines()]
    [report] = [line for line in lines if line["message"] == "log lines dropped"]
    assert (report["level"], report["count"]) == ("warning", lost)
    assert [line["number"] for line in lines if "number" in line] == [*range(sent - lost)]


def test_non_blocking_pipe_loses_no_line(pipe: _Reader) -> None:
    os.set_blocking(pipe.stream.fileno(), False)
    logs.set_up("json", "info", pipe.stream)
    for number in range(300):
        logging.getLogger("atmpl").info("Rendered", extra={"number": number, "padding": "x" * 4096})
    text = ""
    while text.count("\n") < 300:
        text += pipe.read()
    assert [json.loads(line)["number"] for line in text.splitlines()] == [*range(300)]


def test_closed_pipe_does_not_end_the_process(pipe: _Reader) -> None:
    pipe.close()
    logs.set_up("json", "info", pipe.stream)
    logging.getLogger("atmpl").info("one")
    logs.flush()


@pytest.mark.parametrize("handler_closed", [True, False])
def test_process_ends_while_its_log_blocks(handler_closed: bool) -> None:
    """Python's own standard error would abort the process: its lock is held by the writing thread."""
    code = f"""
import logging, sys
from atmpl.manager import logs
logs.set_up("json", "info")
for _ in range(100):
    logging.getLogger("atmpl").info("Rendered", extra={{"padding": "x" * 4096}})
if {handler_closed}:
    logging.shutdown()
sys.exit(3)
"""
    reading, writing = os.pipe()
    try:
        assert subprocess.run([sys.executable, "-c", code], stderr=writing, timeout=30, check=False).returncode == 3
    finally:
        os.close(reading)
        os.close(writing)


async def test_event_loop_error_is_logged_without_values(written: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.log_loop_exception)
    loop.call_soon(fails, SECRET)
    future = loop.create_future()
    future.set_exception(ValueError(SECRET))
    del future  # its exception is never retrieved
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert SECRET not in text_of(written)
    assert "Exception in callback" in text_of(written)
    assert "Future exception was never retrieved" in text_of(written)


@pytest.mark.parametrize("name", ["kubernetes_asyncio.client.rest", "kubernetes_asyncio.config.kube_config"])
def test_library_that_logs_tokens_is_silent(name: str, written: io.StringIO) -> None:
    for level in (logging.DEBUG, logging.ERROR, logging.CRITICAL):
        logging.getLogger(name).log(level, "response body: %s", SECRET)
    assert text_of(written) == ""


def test_closed_standard_error_is_no_error() -> None:
    code = """
import logging
from atmpl.manager import logs
logs.set_up("json", "info")
logging.getLogger("atmpl").info("Rendered")
logs.flush()
print("end", flush=True)
"""
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, b"end\n")
