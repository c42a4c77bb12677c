"""Log lines, and that none of them shows what an exception was about."""

import asyncio
import io
import json
import logging
import signal
from collections.abc import Iterator

import pytest

from atmpl.manager import logs
from e2e.controller import Controller
from e2e.controlplane import Client
from e2e.objects import is_ready, reason
from tests.support.cluster_objects import request, request_path, template_path, vm, vm_path

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The root logger is everybody's."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture(params=["json", "text"])
def written(request: pytest.FixtureRequest) -> io.StringIO:
    """What is logged, at the lowest level."""
    stream = io.StringIO()
    logs.set_up(request.param, "debug", stream)
    return stream


def fails(secret: str) -> None:
    """Raise an exception that has what it is about in its message, and in those of the ones behind it."""
    try:
        try:
            {}[secret]
        except KeyError as error:
            raise ValueError(secret) from error
    except ValueError:
        int(secret)


def test_an_exception_shows_its_types_and_where_it_was_raised_and_never_its_message(written: io.StringIO) -> None:
    try:
        fails(SECRET)
    except ValueError:
        logging.getLogger("atmpl").exception("it failed")
    line = written.getvalue()
    assert SECRET not in line
    for word in ("it failed", "KeyError", "ValueError", "test_logs.py", "in fails", "caused by:"):
        assert word in line


def test_a_json_line_says_it_in_fields() -> None:
    stream = io.StringIO()
    logs.set_up("json", "info", stream)
    logging.getLogger("atmpl").info("Rendered", extra={"request": "a/b", "ms": 1.5})
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "message": "Rendered", "request": "a/b", "ms": 1.5}


def test_a_text_line_is_one_line_whatever_is_in_its_fields() -> None:
    stream = io.StringIO()
    logs.set_up("text", "info", stream)
    logging.getLogger("atmpl").info("Failed", extra={"why": "one\n12:00:00 error   another"})
    assert stream.getvalue().endswith("info    Failed  why=one 12:00:00 error another\n")
    assert stream.getvalue().count("\n") == 1


class _Writes(io.StringIO):
    """Where each write is known, and the next one can be awaited."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []
        self.next = asyncio.Event()

    def write(self, text: str) -> int:
        self.all.append(text)
        self.next.set()
        return len(text)


async def test_lines_of_a_moment_are_written_together() -> None:
    stream = _Writes()
    logs.set_up("json", "debug", stream)
    for number in range(3):
        logging.getLogger("atmpl").info("Rendered", extra={"number": number})
    assert not stream.all
    await asyncio.wait_for(stream.next.wait(), 10)
    (text,) = stream.all
    assert [json.loads(line)["number"] for line in text.splitlines()] == [0, 1, 2]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
async def test_a_line_of_another_level_is_written_at_once_and_all_before_it(level: int) -> None:
    stream = _Writes()
    logs.set_up("json", "debug", stream)
    logging.getLogger("atmpl").info("one")
    logging.getLogger("atmpl").log(level, "two")
    (text,) = stream.all
    assert [json.loads(line)["message"] for line in text.splitlines()] == ["one", "two"]


async def test_what_is_gathered_can_be_had_written() -> None:
    stream = _Writes()
    logs.set_up("json", "info", stream)
    logging.getLogger("atmpl").info("one")
    logs.flush()
    assert len(stream.all) == 1


async def test_a_log_that_nobody_reads_keeps_nobody_from_ending() -> None:
    class Broken(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    logs.set_up("json", "info", Broken())
    logging.getLogger("atmpl").info("one")
    logs.flush()


async def test_what_the_event_loop_complains_of_shows_neither_exception_nor_arguments(written: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.unexpected)
    loop.call_soon(fails, SECRET)
    future = loop.create_future()
    future.set_exception(ValueError(SECRET))
    del future  # nobody ever asks it
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert SECRET not in written.getvalue()
    assert "Exception in callback" in written.getvalue()
    assert "Future exception was never retrieved" in written.getvalue()


@pytest.mark.parametrize("name", ["kubernetes_asyncio.client.rest", "kubernetes_asyncio.config.kube_config"])
def test_a_library_that_logs_tokens_logs_nothing(name: str, written: io.StringIO) -> None:
    for level in (logging.DEBUG, logging.ERROR, logging.CRITICAL):
        logging.getLogger(name).log(level, "response body: %s", SECRET)
    assert written.getvalue() == ""


async def test_an_outcome_is_one_line_with_request_vm_template_reason_and_duration(
    controller: Controller, client: Client, namespace: str
) -> None:
    before = len(controller.lines)
    await client.create(request(namespace))
    await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound")
    await client.create(vm(namespace))
    await client.until(request_path(namespace), is_ready)
    about = f"{namespace}/request"
    await asyncio.to_thread(
        controller.logged,
        lambda line: (line["message"], line.get("request")) == ("Rendered", about),
        after=before,
    )
    waited, made = [line for line in controller.lines[before:] if line.get("request") == about]
    same = {"request": about, "vm": f"{namespace}/vm", "template": about, "level": "info"}
    assert waited.pop("ms") > 0
    assert made.pop("ms") > 0
    del waited["time"], made["time"]
    assert waited == same | {"message": "SourceNotFound", "why": waited["why"]}
    assert made == same | {"message": "Rendered"}


async def test_at_level_debug_every_call_is_a_line(controller: Controller, client: Client, namespace: str) -> None:
    before = len(controller.lines)
    await _switched(controller, "debug is on")
    try:
        await client.create(vm(namespace))
        await client.create(request(namespace))
        await client.until(request_path(namespace), is_ready)
        # The server may tell us of the last write before the controller has its answer, and says so.
        last = f"{request_path(namespace)}/status"
        await asyncio.to_thread(controller.logged, lambda line: line.get("path") == last, after=before)
    finally:
        await _switched(controller, "debug is off")
    calls = [line for line in controller.lines[before:] if line["message"] == "call" and namespace in line["path"]]
    assert [(line["level"], line["method"], line["path"], line["status"]) for line in calls] == [
        ("debug", "GET", vm_path(namespace), 200),
        ("debug", "POST", template_path(namespace, "").rstrip("/"), 201),
        ("debug", "PATCH", last, 200),
    ]


async def _switched(controller: Controller, said: str) -> None:
    before = len(controller.lines)
    controller.send(signal.SIGUSR1)
    await asyncio.to_thread(controller.logged, lambda line: line["message"] == said, after=before)
