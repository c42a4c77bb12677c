"""A cluster in memory with one VM, for tests of one step of a reconcile."""

import gc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from atmpl.controller.outcome import Outcome, Published
from atmpl.controller.publish import EncodedTemplate, publish
from atmpl.controller.request import Request, RequestSpec
from atmpl.kube.response import Response
from atmpl.template import FORMATS, TemplateOwner, render
from tests.support.api_under_test import ClusterClient, InMemory, seen, version
from tests.support.builders import NAMESPACE, a_request, a_vm
from tests.support.fake_apiserver import ApiServer
from tests.support.resources import REQUESTS, TEMPLATES, Object

FORMAT = FORMATS["openshift"]
ONLY_HERE = "test/only-here"  # a key that no other test uses
NOW = datetime(2024, 1, 2, tzinfo=UTC)
UID, REFRESH, NAME = "ssp.kubevirt.io/request-uid", "ssp.kubevirt.io/refresh", "ssp.kubevirt.io/request"
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Rendered",
    "message": "",
    "lastTransitionTime": "2024-01-02T03:04:05Z",
}
REFRESHED: Object = {
    "conditions": [READY],
    "templateRef": {"uid": "1"},
    "rendered": {"digest": "d", "templateResourceVersion": "1"},
}


class SmallCluster:
    """A cluster in memory with one VM."""

    def __init__(self, utcnow: Callable[[], datetime] = lambda: NOW) -> None:
        self.server = ApiServer(utcnow)
        self.connection = InMemory(self.server)
        self.api = ClusterClient(self.connection, NAMESPACE, now=utcnow)
        self.cluster = self.api.cluster
        self.vm = self.server.create(a_vm())

    def request(self, status: Object | None = None, **spec: Any) -> Request:
        there = self.server.create(a_request(**spec))
        if status is not None:
            there = self.server.edit(REQUESTS, self.api.request, {"status": status}, status=True)
        return seen(there)

    def encoded(self, request: Request, **size: Any) -> EncodedTemplate:
        """Return the rendering of the current VM."""
        spec = spec_of(request)
        owner = TemplateOwner(NAMESPACE, request.key.name, request.uid, spec.refresh_on_change)
        found = render(self.vm | size, format=FORMAT, name="golden", namespace=NAMESPACE, owner=owner)
        return EncodedTemplate.from_render(self.vm, found, spec, 0.25)

    def create_template(self, owner: Request, **metadata: Any) -> Object:
        """Create the template of a request with other `metadata`, and return it."""
        made = orjson.loads(self.encoded(owner).body)
        kept = made["metadata"] | metadata
        return self.server.create(made | {"metadata": kept})

    @property
    def template(self) -> Object | None:
        return self.server.get(TEMPLATES, self.api.template)

    async def publish(self, request: Request, encoded: EncodedTemplate | None = None) -> Outcome:
        self.connection.calls.clear()
        return await publish(request, spec_of(request), encoded or self.encoded(request), self.cluster)


def spec_of(request: Request) -> RequestSpec:
    assert request.spec is not None
    return request.spec


def published(template: Object | None) -> Published:
    assert template is not None
    return Published(template["metadata"]["uid"], version(template))


class InstanceCounter(InMemory):
    """A connection that counts, at each call of one method, the VirtualMachineInstanceSpecs of VMs and templates."""

    def __init__(self, server: ApiServer, method: str) -> None:
        super().__init__(server)
        self._method = method
        self.before = _instances()
        self.kept: list[int] = []  # more than before, at each call

    async def call(self, method: str, path: str, **what: Any) -> Response:
        if method == self._method:
            self.kept.append(_instances() - self.before)
        return await super().call(method, path, **what)


def _instances() -> int:
    """Return the number of VirtualMachineInstanceSpecs in memory with the nodeSelector ONLY_HERE."""
    found = (each.get("nodeSelector") for each in gc.get_objects() if type(each) is dict)
    return sum(type(selector) is dict and ONLY_HERE in selector for selector in found)
