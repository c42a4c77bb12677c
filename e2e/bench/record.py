"""The calls that atmpl makes for a request, without making them: what the bare loop replays.

They come out of atmpl's own code, from the judging of the request down to the bytes of each body, so that the loop
makes the same calls by construction. Only what a server would have answered is made up: the template's uid.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from random import Random

import msgspec
import orjson

from atmpl.controller.objects import ObjectKey
from atmpl.controller.turn import turn
from atmpl.kube.client import CALL, KubeClient
from atmpl.kube.cluster import KubeCluster
from atmpl.kube.response import Response
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.kube.workqueue import WorkQueue
from atmpl.template import FORMATS
from e2e.bench.objects import Object
from e2e.bench.work import Call


async def record(vms: Iterable[Object], requests: Iterable[Object]) -> list[list[Call]]:
    """Return each request's calls, in order. `vms` and `requests` are as the server stores them."""
    stored = {f"/{vm['metadata']['namespace']}/{vm['metadata']['name']}": orjson.dumps(vm) for vm in vms}
    wire = _Recorder(stored)
    queue: WorkQueue[ObjectKey] = WorkQueue(random=Random(0))
    known = RequestStore(queue.add)
    seen = VMStore(lambda _: None)
    templates = {name: TemplateStore(changed=lambda _: None, appeared=lambda: None) for name in FORMATS}
    cluster = KubeCluster(wire, known, seen, templates)
    for body in stored.values():
        seen.put(msgspec.Raw(body))
    recorded = []
    for request in requests:
        known.put(msgspec.Raw(orjson.dumps(request)))
        key = ObjectKey(request["metadata"]["namespace"], request["metadata"]["name"])
        found = known.get(key)
        assert found is not None
        await turn(found, cluster, datetime.now(UTC))
        recorded.append(wire.take())
        await asyncio.sleep(0)
    return recorded


class _Recorder(KubeClient):
    """A connection that writes down what it is asked to call."""

    def __init__(self, vms: Mapping[str, bytes]) -> None:
        self._vms = vms
        self._recorded: list[Call] = []

    def take(self) -> list[Call]:
        """Return the calls since the last time."""
        taken, self._recorded = self._recorded, []
        return taken

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: object = CALL,
    ) -> Response:
        del timeout
        whole = f"{path}?{'&'.join(f'{key}={value}' for key, value in query.items())}" if query else path
        self._recorded.append(Call(method, whole, dict(headers or {}), body))
        if method == "GET":
            namespace, name = path.split("/")[-3::2]
            return Response(200, self._vms[f"/{namespace}/{name}"])
        metadata = {"uid": "00000000-0000-4000-8000-000000000000", "resourceVersion": "1"}
        return Response(201 if method == "POST" else 200, orjson.dumps({"metadata": metadata}))
