"""A cluster in memory with one VM in it, and what stands there: for tests of one step of the story."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from atmpl.controller.outcome import Outcome, Published
from atmpl.controller.publish import RenderedTemplate, publish
from atmpl.controller.request import Request, RequestSpec
from atmpl.template import FORMATS, TemplateOwner, render
from tests.support.api_under_test import ClusterClient, InMemory, seen, version
from tests.support.builders import NAMESPACE, a_request, a_vm
from tests.support.fake_apiserver import ApiServer
from tests.support.resources import REQUESTS, TEMPLATES, Object

FORMAT = FORMATS["openshift"]
UID, REFRESH, NAME = "ssp.kubevirt.io/request-uid", "ssp.kubevirt.io/refresh", "ssp.kubevirt.io/request"
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Rendered",
    "message": "",
    "lastTransitionTime": "2024-01-02T03:04:05Z",
}
IN_STEP: Object = {
    "conditions": [READY],
    "templateRef": {"uid": "1"},
    "rendered": {"digest": "d", "templateResourceVersion": "1"},
}


class Town:
    """A cluster in memory with a VM in it."""

    def __init__(self, utcnow: Callable[[], datetime] = lambda: datetime(2024, 1, 2, tzinfo=UTC)) -> None:
        self.server = ApiServer(utcnow)
        self.connection = InMemory(self.server)
        self.api = ClusterClient(self.connection, NAMESPACE)
        self.cluster = self.api.cluster
        self.vm = self.server.create(a_vm())

    def request(self, status: Object | None = None, **spec: Any) -> Request:
        there = self.server.create(a_request(**spec))
        if status is not None:
            there = self.server.edit(REQUESTS, self.api.request, {"status": status}, status=True)
        return seen(there)

    def made(self, request: Request, **size: Any) -> RenderedTemplate:
        """What is rendered of the VM as it is now."""
        asked = asked_of(request)
        owner = TemplateOwner(NAMESPACE, request.key.name, request.uid, asked.refresh_on_change)
        found = render(self.vm | size, format=FORMAT, name="golden", namespace=NAMESPACE, owner=owner)
        return RenderedTemplate.of(self.vm, found, asked, 0.25)

    def stands(self, of: Request, **metadata: Any) -> Object:
        """Let a template stand that was made for a request, and return it."""
        made = orjson.loads(self.made(of).body)
        kept = made["metadata"] | metadata
        return self.server.create(made | {"metadata": kept})

    @property
    def template(self) -> Object | None:
        return self.server.get(TEMPLATES, self.api.template)

    async def publish(self, request: Request, made: RenderedTemplate | None = None) -> Outcome:
        self.connection.calls.clear()
        return await publish(request, asked_of(request), made or self.made(request), self.cluster)


def asked_of(request: Request) -> RequestSpec:
    assert request.spec is not None
    return request.spec


def published(template: Object | None) -> Published:
    assert template is not None
    return Published(template["metadata"]["uid"], version(template))
