"""The story of a request, step by step: what each step finds, and which calls it costs."""

import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller import vm_digest
from atmpl.controller.cluster import UnavailableError
from atmpl.controller.outcome import (
    Blocked,
    Detached,
    Outcome,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    SourceGone,
    UpToDate,
)
from atmpl.controller.reconcile import RECHECK, SOURCE_RECHECK, reconcile
from atmpl.controller.request import Request
from atmpl.kube.response import Response
from tests.support.api_under_test import ClusterClient, InMemory, seen, version
from tests.support.builders import NAMESPACE, a_template, with_memory
from tests.support.fixtures import IN_STEP, READY, Town, published
from tests.support.resources import REQUESTS, TEMPLATES, VMS, Object, Resource

SINCE = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)  # of READY
DONE: Object = {"conditions": [READY], "templateRef": {"uid": "1"}}


class Street(Town):
    """A town in which a request is judged."""

    async def judge(self, request: Request, *, later: float = 0.0) -> Outcome:
        self.connection.calls.clear()
        return await reconcile(request, self.cluster, SINCE + timedelta(seconds=later))

    def shown(self, **changed: Any) -> None:
        """Let the stream show the VM, as it is or otherwise."""
        self.api.vms.upsert(msgspec.Raw(orjson.dumps({"metadata": self.vm["metadata"] | changed})))

    def template_shown(self) -> None:
        """Let the stream show the template."""
        assert self.template is not None
        self.api.templates["openshift"].upsert(msgspec.Raw(orjson.dumps(self.template)))

    def in_step(self) -> Request:
        """Return a request that is kept in step with its VM, as both streams and its status say."""
        first = self.request(refreshPolicy="OnChange")
        self.stands(first)
        self.shown()
        self.template_shown()
        said = {"digest": vm_digest.vm_digest_of(self.vm), "templateResourceVersion": version(self.template)}
        return self.status_from(IN_STEP | {"rendered": said})

    def status_from(self, status: Object) -> Request:
        return seen(self.server.edit(REQUESTS, self.api.request, {"status": status}, status=True))


@pytest.fixture
def street() -> Street:
    return Street()


# Nothing is left to do


async def test_a_request_on_its_way_out_is_left_alone(street: Street) -> None:
    street.request()
    street.server.edit(REQUESTS, street.api.request, {"metadata": {"finalizers": ["atmpl.example/wait"]}})
    street.server.delete(REQUESTS, street.api.request)
    assert await street.judge(street.status_from({})) == RequestGone()
    assert street.connection.calls == []


TTLS: dict[str, tuple[Object, float, Outcome, list[str]]] = {  # spec, seconds since success: outcome, calls
    "no TTL": ({}, 1e9, UpToDate(), []),
    "a TTL that runs": ({"ttlSecondsAfterFinished": 60}, 59.0, UpToDate(again=1.0), []),
    "a TTL that ends now": ({"ttlSecondsAfterFinished": 60}, 60.0, RequestGone(), ["DELETE request"]),
    "a TTL that ended long ago": ({"ttlSecondsAfterFinished": 60}, 1e6, RequestGone(), ["DELETE request"]),
    "a TTL of nothing": ({"ttlSecondsAfterFinished": 0}, 0.0, RequestGone(), ["DELETE request"]),
}


@pytest.mark.parametrize("sentence", TTLS)
async def test_a_finished_request_costs_nothing_until_its_ttl_has_passed(street: Street, sentence: str) -> None:
    spec, later, outcome, calls = TTLS[sentence]
    request = street.request(DONE, **spec)
    assert await street.judge(request, later=later) == outcome
    assert street.connection.calls == calls


async def test_in_step_nothing_is_called(street: Street) -> None:
    assert await street.judge(street.in_step()) == UpToDate()
    assert street.connection.calls == []


async def test_a_spec_of_another_version_is_refused_and_what_that_version_finished_stays(street: Street) -> None:
    fresh = street.request(refreshPolicy="Weekly")
    found = await street.judge(fresh)
    assert found == Rejected(Reason.UNSUPPORTED, "spec.refreshPolicy is 'Weekly': write Once or OnChange")
    assert await street.judge(street.status_from(DONE)) == UpToDate()
    assert isinstance(await street.judge(street.status_from(IN_STEP)), Rejected)
    assert street.connection.calls == []


# The VM


async def test_a_fresh_request_costs_the_read_of_its_vm_and_the_template(street: Street) -> None:
    found = await street.judge(street.request())
    assert isinstance(found, Rendered)
    assert (found.source, found.published) == (vm_digest.source(street.vm), published(street.template))
    assert found.seconds > 0
    assert street.connection.calls == ["GET vm", "POST template"]


async def test_while_the_server_writes_a_template_neither_it_nor_its_vm_is_kept_but_for_bytes(street: Street) -> None:
    class Slow(InMemory):
        async def call(self, method: str, path: str, **what: Any) -> Response:
            if method == "POST":
                kept.append(instances() - before)
            return await super().call(method, path, **what)

    def instances() -> int:
        """How many VirtualMachineInstanceSpecs of this test's VM there are, in VMs or in templates.

        Only of this one: the garbage of other tests may be collected at any time.
        """
        found = (each.get("nodeSelector") for each in gc.get_objects() if type(each) is dict)
        return sum(type(selector) is dict and "test/only-here" in selector for selector in found)

    kept: list[int] = []
    instance = {"hostname": "h", "nodeSelector": {"test/only-here": "a"}}
    street.server.edit(VMS, street.api.vm, {"spec": {"template": {"spec": instance}}})
    request = street.request()
    cluster = ClusterClient(Slow(street.server), NAMESPACE).cluster
    before = instances()
    assert before > 0
    assert isinstance(await reconcile(request, cluster, SINCE), Rendered)
    assert kept == [0]


async def test_without_its_vm_it_waits(street: Street) -> None:
    street.server.delete(VMS, street.api.vm)
    said = "There is no VirtualMachine team-a/vm; the template is made as soon as there is one"
    assert await street.judge(street.request()) == Blocked(Reason.SOURCE_NOT_FOUND, said)
    assert street.connection.calls == ["GET vm", "GET template"]


async def test_without_kubevirt_it_waits(street: Street) -> None:
    street.server.unserved.add(VMS)
    street.api.vms.mark_synced(served=False)
    said = "This cluster serves no VirtualMachine: install KubeVirt; the template is made as soon as there is one"
    assert await street.judge(street.request()) == Blocked(Reason.SOURCE_NOT_FOUND, said)


@pytest.mark.parametrize("resource", [VMS, TEMPLATES], ids=["VMs", "templates"])
async def test_404_of_an_api_is_retried_unless_its_stream_agrees(street: Street, resource: Resource) -> None:
    street.server.unserved.add(resource)
    with pytest.raises(UnavailableError) as failed:
        await street.judge(street.request())
    assert failed.value.after == RECHECK


@pytest.mark.parametrize("state", ["syncing", "interrupted"])
async def test_missing_vm_is_checked_again_while_its_stream_is_not_open(street: Street, state: str) -> None:
    street.server.delete(VMS, street.api.vm)
    street.api.vms.is_watched = False
    if state == "syncing":
        street.api.vms.is_served = None
    outcome = await street.judge(street.request())
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.again) == (Reason.SOURCE_NOT_FOUND, SOURCE_RECHECK)


@pytest.mark.parametrize("stream", ["VMs", "templates"])
async def test_refresh_waits_for_both_lists(street: Street, stream: str) -> None:
    request = street.in_step()
    store = street.api.vms if stream == "VMs" else street.api.templates["openshift"]
    store.is_served = None
    street.vm = street.server.edit(VMS, street.api.vm, with_memory("256Mi"))
    street.shown()
    assert await street.judge(request) == UpToDate()
    assert street.connection.calls == []
    store.mark_synced(served=True)
    assert isinstance(await street.judge(request), Rendered)


async def test_first_rendering_waits_for_no_list(street: Street) -> None:
    for store in (street.api.vms, *street.api.templates.values()):
        store.is_served = None
    assert isinstance(await street.judge(street.request(refreshPolicy="OnChange")), Rendered)


async def test_vm_that_the_stream_has_not_shown_is_read(street: Street) -> None:
    request = street.in_step()
    street.api.vms.forget(street.api.vm)
    assert isinstance(await street.judge(request), Rendered)
    assert street.connection.calls == ["GET vm", "GET template"]
    assert await street.judge(request) == UpToDate()
    assert street.connection.calls == []


@pytest.mark.parametrize("shown", [True, False], ids=["shown by the stream", "not shown"])
async def test_first_rendering_is_never_older_than_its_request(street: Street, shown: bool) -> None:
    if shown:
        street.shown()
    street.server.cached_at = int(version(street.vm))
    street.vm = street.server.edit(VMS, street.api.vm, with_memory("256Mi"))
    outcome = await street.judge(street.request())
    assert isinstance(outcome, Rendered)
    assert outcome.source.version == version(street.vm)
    assert street.connection.calls == ["GET vm", "POST template"]


async def test_a_vm_that_cannot_be_rendered_is_refused_with_the_path(street: Street) -> None:
    street.server.edit(VMS, street.api.vm, {"spec": {"template": None}})
    found = await street.judge(street.request())
    assert isinstance(found, Rejected)
    assert found.reason is Reason.INVALID_SOURCE
    assert found.message.startswith("VM team-a/vm cannot be made a template: spec.template")


async def test_a_vm_older_than_the_one_that_was_rendered_is_read_anew(street: Street) -> None:
    old = street.vm
    street.vm = street.server.edit(VMS, street.api.vm, with_memory("256Mi"))
    street.api.vms.upsert(msgspec.Raw(orjson.dumps({"metadata": old["metadata"]})))
    street.server.cached_at = int(version(old))
    request = street.request(IN_STEP | {"source": {"resourceVersion": version(street.vm)}}, refreshPolicy="OnChange")
    found = await street.judge(request)
    assert isinstance(found, Rendered)
    assert found.source.version == version(street.vm)
    assert street.connection.calls[:2] == ["GET vm", "GET vm"]


# What stands already


async def test_what_was_made_before_its_vm_was_deleted_is_not_lost(street: Street) -> None:
    request = street.request()
    street.stands(request)
    street.server.delete(VMS, street.api.vm)
    found = await street.judge(request)
    assert isinstance(found, Rendered)
    assert found.published == published(street.template)


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_what_was_made_before_its_vm_was_spoiled_stands_only_under_once(street: Street, policy: str) -> None:
    request = street.request(refreshPolicy=policy)
    street.stands(request)
    street.server.edit(VMS, street.api.vm, {"spec": {"template": None}})
    found = await street.judge(request)
    assert isinstance(found, Rendered if policy == "Once" else Rejected)


async def test_in_step_with_a_vm_that_is_gone_says_so_once(street: Street) -> None:
    request = street.in_step()
    street.server.delete(VMS, street.api.vm)
    street.api.vms.delete(msgspec.Raw(orjson.dumps({"metadata": street.vm["metadata"]})))
    assert await street.judge(request) == SourceGone(street.api.vm)
    gone = {"reason": "SourceGone", "message": "", "path": ""}
    assert await street.judge(street.status_from({"warnings": [gone]})) == UpToDate()
    assert street.connection.calls == []


DRIFT: dict[str, Object] = {  # what changes: the VM or the template
    "the VM": with_memory("256Mi"),
    "the template": {"parameters": []},
}


@pytest.mark.parametrize("sentence", DRIFT)
async def test_out_of_step_costs_two_reads_and_a_patch(street: Street, sentence: str) -> None:
    request = street.in_step()
    if sentence == "the VM":
        street.vm = street.server.edit(VMS, street.api.vm, DRIFT[sentence])
        street.shown()
    else:
        street.server.edit(TEMPLATES, street.api.template, DRIFT[sentence])
        street.template_shown()
    found = await street.judge(request)
    assert isinstance(found, Rendered)
    assert found.written
    assert street.connection.calls == ["GET vm", "GET template", "PATCH template"]


async def test_a_template_that_is_deleted_comes_back(street: Street) -> None:
    request = street.in_step()
    there = street.template
    street.server.delete(TEMPLATES, street.api.template)
    street.api.templates["openshift"].delete(msgspec.Raw(orjson.dumps(there)))
    assert isinstance(await street.judge(request), Rendered)
    assert street.connection.calls == ["GET vm", "GET template", "POST template"]


async def test_on_change_that_has_become_once_lets_the_template_go_without_a_look_at_the_vm(street: Street) -> None:
    street.in_step()
    street.server.edit(REQUESTS, street.api.request, {"spec": {"refreshPolicy": "Once"}})
    assert await street.judge(street.status_from({})) == Detached()
    assert street.connection.calls == ["GET template", "PATCH template"]


# What is in the way


async def test_a_format_that_is_not_served_is_waited_for(street: Street) -> None:
    street.server.unserved.add(TEMPLATES)
    street.api.templates["openshift"].mark_synced(served=False)
    said = "This cluster does not serve template.openshift.io/v1 Template; the template is made as soon as it does"
    assert await street.judge(street.request()) == Blocked(Reason.FORMAT_UNAVAILABLE, said, 60.0)


@pytest.mark.parametrize(("reason", "again"), [("TargetConflict", 60.0), ("FormatUnavailable", 60.0)])
async def test_what_was_in_the_way_is_looked_at_by_one_read_and_nothing_is_rendered(
    street: Street, reason: str, again: float
) -> None:
    if reason == "TargetConflict":
        street.server.create(a_template())
    else:
        street.server.unserved.add(TEMPLATES)
    request = street.request({"conditions": [READY | {"status": "False", "reason": reason}]})
    assert await street.judge(request) == UpToDate(again)
    assert street.connection.calls == ["GET template"]


async def test_source_in_a_namespace_that_is_not_served_is_unsupported(street: Street) -> None:
    street.cluster._vms = {"team-z": street.api.vms}
    outcome = await street.judge(street.request())
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.UNSUPPORTED
    assert street.connection.calls == []
