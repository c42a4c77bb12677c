"""No value of a VM is in a status, log, event or metric, with any content and any fault.

All is real but the HTTP: what the API server is sent is looked at, and what it answers is written here.
"""

import asyncio
import base64
import dataclasses
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import orjson
import pytest
from prometheus_client import generate_latest

from atmpl.kube.cluster import KubeCluster
from atmpl.kube.event_recorder import EventRecorder
from atmpl.kube.response import Response
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.kube.workqueue import WorkQueue
from atmpl.manager import logs
from atmpl.manager.metrics import Metrics
from atmpl.manager.worker import WorkerPool
from atmpl.template import FORMATS, ProcessError
from tests.support.builders import vm

SECRET = "hunter2-4711"
FORMS = {SECRET, base64.b64encode(SECRET.encode()).decode().rstrip("=")}  # as it is, and as cloud-init takes it

Answers = Callable[[str, str, bytes], Response]  # (method, path, body) -> what the API server answers


class ClusterClient:
    """Takes the place of the connection, and records what other users can read of the writes."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.shown: list[bytes] = []  # statuses and events

    async def call(self, method: str, path: str, *, body: bytes | None = None, **_: Any) -> Response:
        if path.endswith("/status") or "/events" in path:
            self.shown.append(body or b"")
            return ok({"metadata": {"uid": "u", "resourceVersion": "9", "name": "n"}})
        return self._answers(method, path, body or b"")


def ok(thing: Any) -> Response:
    return Response(200, orjson.dumps(thing))


def refusal(status: int, message: str, reason: str = "Invalid") -> Response:
    return Response(status, orjson.dumps({"kind": "Status", "reason": reason, "message": message}))


def posted(**options: str) -> bytes:
    return orjson.dumps(
        {
            "metadata": {"name": "r", "namespace": "a", "uid": "u", "resourceVersion": "1", "generation": 1}
            | {"creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"source": {"vmName": "vm"}, "target": {"openshiftTemplate": {}}, "options": options},
        }
    )


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture(params=["json", "text"])
def log(request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(request.param, "debug", stream)
    return stream


async def emitted(log: io.StringIO, answers: Answers, request: bytes = b"", *, format: Any = None) -> str:
    """Have a request reconciled, and return all that came out of it but the template itself."""
    api: Any = ClusterClient(answers)
    queue: Any = WorkQueue(random=Random(0))
    requests = RequestStore(queue.add)
    vms = VMStore(lambda _: None, requests.sources)
    key = requests.upsert(msgspec.Raw(request or posted())).key
    if format is not None:
        found = requests._requests[key]
        requests._requests[key] = dataclasses.replace(found, spec=found.spec._replace(format=format))
    templates = {(name, ""): TemplateStore(changed=lambda _: None) for name in FORMATS}
    metrics, events = Metrics(), EventRecorder(api, "me")
    worker = WorkerPool(
        queue,
        requests,
        KubeCluster(api, requests, {"": vms}, templates, now=lambda: datetime.now(UTC)),
        metrics,
        events,
        policy_required=False,
    )
    await worker._process(key)
    writing = asyncio.create_task(events.run())
    while events._queue:  # noqa: ASYNC110 - of a list in memory
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    writing.cancel()
    logs.flush()
    return "\n".join([log.getvalue(), *(b.decode() for b in api.shown), generate_latest(metrics.registry).decode()])


def stored(**spec: Any) -> dict[str, Any]:
    found = vm("a")
    found["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 3}
    found["metadata"] |= {"creationTimestamp": "2024-01-01T00:00:00Z"}
    found["spec"] |= spec
    return found


def serving(found: Any, made: Callable[[bytes], Response] | None = None) -> Answers:
    """A server that has this VM (bytes: a raw response), and what it makes of a new template."""

    def answers(method: str, path: str, body: bytes) -> Response:
        if "/virtualmachines/" in path:
            return Response(200, found) if isinstance(found, bytes) else ok(found)
        if method == "GET":
            return Response(
                404, orjson.dumps({"kind": "Status", "code": 404, "reason": "NotFound", "message": "no such"})
            )
        if method == "POST" and made:
            return made(body)
        return ok({"metadata": {"uid": "t", "resourceVersion": "8", "name": "r"}})

    return answers


def instance(**fields: Any) -> dict[str, Any]:
    return {"template": {"spec": {"domain": {"devices": {}}, **fields}}}


def nested(levels: int) -> Any:
    found: Any = SECRET
    for _ in range(levels):
        found = {"a": found}
    return found


def with_metadata(**metadata: Any) -> dict[str, Any]:
    found = stored()
    found["metadata"] |= metadata
    return found


UNIQUE = {"dataVolumes": "Unique"}
# A VM that is rendered, or is not; with it, the request's options, and the word that shows how it went.
VMS: dict[str, tuple[Any, dict[str, str], str]] = {
    "secrets in every place of a sound VM": (
        with_metadata(
            labels={"a": SECRET},
            annotations={"a": SECRET, "b": f"literal ${{{SECRET}}}"},
            managedFields=[{"manager": SECRET}],
        )
        | {
            "status": {"conditions": [{"message": SECRET}]},
            "spec": instance(
                volumes=[
                    {"name": "a", "cloudInitNoCloud": {"userData": f"#cloud-config\npassword: {SECRET}\n"}},
                    {
                        "name": "b",
                        "cloudInitNoCloud": {"networkDataBase64": base64.b64encode(SECRET.encode()).decode()},
                    },
                    {"name": "c", "sysprep": {"secret": {"name": SECRET}}},
                ],
                livenessProbe={"httpGet": {"httpHeaders": [{"name": "Authorization", "value": f"Bearer {SECRET}"}]}},
                accessCredentials=[{"userPassword": {"source": {"secret": {"secretName": SECRET}}}}],
                environment=[{"name": "PASSWORD", "value": SECRET}],
            )
            | {"dataVolumeTemplates": [{"metadata": {"name": "d"}, "spec": {"url": f"http://me:{SECRET}@a"}}]},
        },
        {},
        "Rendered",
    ),
    "a spec that is text": (stored() | {"spec": SECRET}, {}, "InvalidSource"),
    "a spec that is a list": (stored() | {"spec": [SECRET]}, {}, "InvalidSource"),
    "a template that is text": (stored(template=SECRET), {}, "InvalidSource"),
    "an instance that is text": (stored(template={"spec": SECRET}), {}, "InvalidSource"),
    "labels that are text": (with_metadata(labels=SECRET), {}, "InvalidSource"),
    "a label that is an object": (with_metadata(labels={"a": {SECRET: SECRET}}), {}, "InvalidSource"),
    "annotations that are a list": (with_metadata(annotations=[SECRET]), {}, "InvalidSource"),
    "no name": (with_metadata(name=[SECRET]), {}, "InvalidSource"),
    "too many levels": (stored(**instance(a=nested(250))), {}, "InvalidSource"),
    "an integer beyond 64 bits": (
        orjson.dumps(stored(**instance(a="N", b=SECRET))).replace(b'"N"', b"1" * 30),
        {},
        "Rendered",
    ),
    "a lone surrogate": (
        orjson.dumps(stored(**instance(a="N"))).replace(b'"N"', b'"hunter2-4711\\ud800"'),
        {},
        "Failed",
    ),
    "a data volume that takes no suffix": (
        stored(dataVolumeTemplates=[{"metadata": {"name": f"{SECRET}-${{A}}"}}]),
        UNIQUE,
        "InvalidSource",
    ),
    "more than can be stored": (stored(**instance(a=SECRET * 100_000)), {}, "TooLarge"),
    "a response that is not an object": (orjson.dumps(SECRET), {}, "Failed"),
    "a response that is not JSON": (f"<html>{SECRET}".encode(), {}, "Failed"),
    "an object without metadata": (orjson.dumps({"metadata": SECRET, "spec": SECRET}), {}, "Failed"),
    "metadata of other types": (with_metadata(uid=[SECRET], resourceVersion={SECRET: 1}), {}, "Failed"),
    "a generation that is text": (with_metadata(generation=SECRET), {}, "Failed"),
}


@pytest.mark.parametrize(("found", "options", "word"), VMS.values(), ids=VMS)
async def test_vm_values_are_not_emitted(found: Any, options: dict[str, str], word: str, log: io.StringIO) -> None:
    text = await emitted(log, serving(found), posted(**options))
    assert word in text
    assert not {form for form in FORMS if form in text}


SECRETIVE = stored(
    **instance(volumes=[{"name": "a", "cloudInitNoCloud": {"userData": f'#cloud-config\npassword: "{SECRET}"\n'}}])
)
MESSAGES: dict[str, Callable[[str], str]] = {  # messages of a server about the body that it got, as text
    "a field error": lambda body: f'T "r" is invalid: parameters[0].value: Invalid value: {json.dumps(body)}: must not',
    "an object": lambda body: f"T is invalid: objects[0]: Invalid value: {body}: must not",
    "plain text": lambda body: f"this is wrong: {body}",
    "a line of it": lambda _: f'you may not have password: "{SECRET}" in it',
    "a webhook": lambda _: f'admission webhook "w" denied the request: found "{SECRET}" in userData',
    "a policy's own words": lambda _: f"the password {SECRET} is too weak",
    "a decoder": lambda body: f"error decoding: unexpected end of {body[: len(body) // 2]}",
    "Go's own form": lambda body: f'unable to parse "{body.encode("unicode_escape").decode()}"',
}


# The status decides over the outcome, the text over the redaction.
REFUSALS = [*((422, kind) for kind in MESSAGES), *((status, "plain text") for status in (400, 403, 409, 413, 500, 503))]


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
async def test_rejection_that_quotes_the_template_leaks_nothing(status: int, kind: str, log: io.StringIO) -> None:
    text = await emitted(log, serving(SECRETIVE, lambda body: refusal(status, MESSAGES[kind](body.decode()))))
    assert SECRET not in text


def raising(where: str) -> Answers:
    """A bug of ours whose exception has data in its message, and another behind it."""
    served = serving(SECRETIVE)

    def answers(method: str, path: str, body: bytes) -> Response:
        if where in f"{method} {path}":
            raise ValueError(SECRET) from KeyError(SECRET)
        return served(method, path, body)

    return answers


@pytest.mark.parametrize("where", ["GET /apis/kubevirt.io", "POST /apis/template"])
async def test_exception_shows_its_place_without_data(where: str, log: io.StringIO) -> None:
    text = await emitted(log, raising(where))
    assert "Internal error of the controller (ValueError)" in text
    assert "test_no_secret_leaks.py" in log.getvalue()
    assert SECRET not in text


def fails(_: Any, *__: Any, **___: Any) -> Any:
    raise ProcessError([f'item[0].objects: Invalid value: {{"a":"{SECRET}"}}: unable to handle object', SECRET])


def alters(template: dict[str, Any], *_: Any, **__: Any) -> Any:
    made = orjson.loads(orjson.dumps(template["objects"][0]))
    made["spec"]["template"]["spec"]["volumes"] = [SECRET]
    return [made]


PROOFS = {"cannot be processed": fails, "comes back as another": alters}


@pytest.mark.parametrize("process", PROOFS.values(), ids=PROOFS)
async def test_a_template_that_fails_its_proof_is_not_quoted(process: Any, log: io.StringIO) -> None:
    wrong = dataclasses.replace(FORMATS["openshift"], process=process)
    text = await emitted(log, serving(SECRETIVE), format=wrong)
    assert "InvalidSource" in text
    assert "this is a bug of atmpl" in text
    assert SECRET not in text
