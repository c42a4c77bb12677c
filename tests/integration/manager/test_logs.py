"""Log lines of a controller at work."""

import asyncio
import signal

from e2e.controller import Controller
from e2e.envtest import Client
from e2e.objects import is_ready, reason
from tests.support.builders import request, request_path, template_path, vm, vm_path


async def test_outcome_is_one_line(controller: Controller, client: Client, namespace: str) -> None:
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
    assert waited.pop("uid") == made.pop("uid") != ""
    del waited["time"], made["time"]
    assert waited == same | {"message": "SourceNotFound", "why": waited["why"]}
    assert made == same | {"message": "Rendered"}


async def test_debug_level_logs_every_call(controller: Controller, client: Client, namespace: str) -> None:
    before = len(controller.lines)
    await _switched(controller, "debug is on")
    try:
        await client.create(vm(namespace))
        await client.create(request(namespace))
        await client.until(request_path(namespace), is_ready)
        # The watch can show the last write before the controller has its response and logs it.
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


async def _switched(controller: Controller, message: str) -> None:
    before = len(controller.lines)
    controller.send(signal.SIGUSR1)
    await asyncio.to_thread(controller.logged, lambda line: line["message"] == message, after=before)
