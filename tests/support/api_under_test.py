"""A namespace of an API server, the real one or the one in memory: the controller's cluster, and persons beside it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from atmpl.controller.objects import ObjectKey
from atmpl.controller.request import Request, parse_request
from atmpl.kube.client import KubeClient
from atmpl.kube.cluster import KubeCluster
from atmpl.kube.response import Response
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.template import FORMATS
from tests.support.builders import a_request, a_vm
from tests.support.fake_apiserver import MERGE_PATCH, ApiServer
from tests.support.fake_watch import Feed
from tests.support.faults import WORDS
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, VMS, Object, Place, Resource, parsed

RequestStatus = tuple[str, str, Object]  # put or drop, the version and the labels of what was shown


class InMemory:
    """The connection to the API server in memory."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.calls: list[str] = []  # such as `GET vm`

    async def call(self, method: str, path: str, **what: Any) -> Response:
        resource, _, sub = parsed(path)
        self.calls.append(f"{method} {sub or WORDS.get(resource, 'template')}")
        return self._server.answer(method, path, **what)

    async def watched(self, version: str) -> list[RequestStatus]:
        """Return what a watch of templates with the label `kept` reports since a version."""
        sink = Recorder()
        Feed(self._server, TEMPLATES, sink, label="kept", since=int(version)).catch_up()
        return sink.status


class OnServer:
    """The connection to a real one."""

    def __init__(self, connection: KubeClient, namespace: str) -> None:
        self._templates = Place(TEMPLATES, ObjectKey(namespace, "")).path.rstrip("/")
        self._connection = connection
        self.call = connection.call

    async def watched(self, version: str) -> list[RequestStatus]:
        """Return what a watch of templates with the label `kept` reports since a version."""
        query = {"watch": "1", "labelSelector": "kept", "resourceVersion": version, "timeoutSeconds": "1"}
        answer = await self._connection.call("GET", self._templates, query=query)
        events = [orjson.loads(line) for line in answer.body.splitlines()]
        return [("drop" if event["type"] == "DELETED" else "put", *_shown(event["object"])) for event in events]


class Recorder:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.status: list[RequestStatus] = []

    def upsert(self, data: msgspec.Raw) -> None:
        self.status.append(("put", *_shown(orjson.loads(bytes(data)))))

    def delete(self, data: msgspec.Raw) -> None:
        self.status.append(("drop", *_shown(orjson.loads(bytes(data)))))


def _shown(obj: Object) -> tuple[str, Object]:
    return version(obj), obj["metadata"].get("labels", {})


class ClusterClient:
    """A namespace of an API server: the controller's cluster, and what persons do beside it."""

    def __init__(
        self, connection: Any, namespace: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._connection = connection
        self.watched = connection.watched
        self.namespace = namespace
        self.requests = RequestStore(lambda key, *, backlog=False: None)
        self.vms = VMStore(lambda key: None, {ObjectKey(namespace, "vm")})
        self.templates = {name: TemplateStore(lambda key: None) for name in FORMATS}
        for store in (self.requests, self.vms, *self.templates.values()):
            store.mark_synced(served=True)
            store.is_watched = True
        self.cluster = KubeCluster(
            connection,
            self.requests,
            {"": self.vms},
            {(name, ""): store for name, store in self.templates.items()},
            now=now,
        )
        self.vm, self.template, self.request = (ObjectKey(namespace, name) for name in ("vm", "golden", "request"))

    async def call(self, method: str, place: Place, body: Any = None, *, sub: str = "", content: str = "") -> Response:
        path = (place.path if place.key.name else place.path.rstrip("/")) + sub
        return await self._connection.call(
            method,
            path,
            body=None if body is None else orjson.dumps(body),
            headers={"Content-Type": content or "application/json"},
        )

    async def create(self, obj: Object) -> Object:
        [resource] = [each for each in (VMS, REQUESTS, TEMPLATES, NATIVE) if each.kind == obj["kind"]]
        return _done(await self.call("POST", Place(resource, ObjectKey(self.namespace, "")), obj))

    async def edit(self, resource: Resource, key: ObjectKey, patch: Object, sub: str = "") -> Object:
        return _done(await self.call("PATCH", Place(resource, key), patch, sub=sub, content=MERGE_PATCH))

    async def get(self, resource: Resource, key: ObjectKey) -> Object | None:
        answer = await self.call("GET", Place(resource, key))
        return None if answer.status == 404 else _done(answer)

    async def delete(self, resource: Resource, key: ObjectKey) -> None:
        _done(await self.call("DELETE", Place(resource, key)))

    async def watch_cache_is_current(self) -> None:
        """Wait until the API server's watch cache of VMs has all that was written so far: a cached read can be behind."""
        later = await self.create(a_vm("later", namespace=self.namespace))
        path = Place(VMS, ObjectKey(self.namespace, "later")).path
        _done(await self._connection.call("GET", path, query={"resourceVersion": version(later)}))

    async def a_request(self, **metadata: Any) -> Request:
        return seen(await self.create(a_request(namespace=self.namespace, metadata=metadata)))


def _done(answer: Response) -> Object:
    assert answer.ok, answer
    return answer.json()


def seen(obj: Object) -> Request:
    return parse_request(orjson.dumps(obj))


def version(obj: Object | None) -> str:
    assert obj is not None
    found: str = obj["metadata"]["resourceVersion"]
    return found
