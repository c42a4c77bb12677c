"""Publishing a rendered template, with each possible owner of an existing one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from atmpl.controller import vm_digest
from atmpl.controller.outcome import Blocked, Conflict, Reason, Rejected, Rendered, SourceGone
from atmpl.controller.publish import detach, publish, source_deleted
from atmpl.kube.response import Response
from tests.support.api_under_test import ClusterClient, InMemory, seen
from tests.support.builders import NAMESPACE, a_request, a_template, with_memory
from tests.support.fixtures import (
    NAME,
    ONLY_HERE,
    REFRESH,
    REFRESHED,
    UID,
    InstanceCounter,
    SmallCluster,
    published,
    spec_of,
)
from tests.support.resources import REQUESTS, TEMPLATES, VMS, Object
from tests.support.responses import status

READ_AND_PATCHED = ["POST template", "GET template", "GET request", "PATCH template"]


@pytest.fixture
def cluster() -> SmallCluster:
    return SmallCluster()


def ticking() -> Callable[[], datetime]:
    """Return a clock that advances by a second at each call."""
    times = iter([datetime(2024, 1, 2, tzinfo=UTC) + timedelta(seconds=number) for number in range(99)])
    return lambda: next(times)


# The name is free


async def test_new_template_costs_one_call(cluster: SmallCluster) -> None:
    outcome = await cluster.publish(cluster.request())
    assert outcome == Rendered(
        source=vm_digest.source_of(cluster.vm),
        published=published(cluster.template),
        api_version="template.openshift.io/v1",
        parameter_count=2,
        warnings=(),
        digest="",
        written=True,
        seconds=0.25,
    )
    assert cluster.connection.calls == ["POST template"]


async def test_refreshed_template_reports_the_digest(cluster: SmallCluster) -> None:
    outcome = await cluster.publish(cluster.request(refreshPolicy="OnChange"))
    assert isinstance(outcome, Rendered)
    assert outcome.digest == vm_digest.digest_of(cluster.vm)


async def test_templates_are_freed_before_the_patch(cluster: SmallCluster) -> None:
    selector = {"nodeSelector": {ONLY_HERE: "a"}}
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": {"spec": selector}}})
    request = cluster.request(refreshPolicy="OnChange")
    cluster.create_template(request)
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    encoded = cluster.encoded(request)
    counter = InstanceCounter(cluster.server, "PATCH")
    counted = ClusterClient(counter, NAMESPACE).cluster
    assert counter.before > 0
    assert isinstance(await publish(request, spec_of(request), encoded, counted), Rendered)
    assert counter.kept == [0]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_template_too_large_for_the_server(cluster: SmallCluster, method: str) -> None:
    class Full(InMemory):
        async def call(self, method_: str, path: str, **what: Any) -> Response:
            if method_ == method:
                return status(500, None, "etcdserver: request is too large")
            return await super().call(method_, path, **what)

    request = cluster.request(refreshPolicy="OnChange")
    if method == "PATCH":
        cluster.create_template(request)
        cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    full = ClusterClient(Full(cluster.server), NAMESPACE).cluster
    outcome = await publish(request, spec_of(request), cluster.encoded(request), full)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.TOO_LARGE
    assert outcome.refused_digest == vm_digest.digest_of(cluster.vm)


# An own template exists


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_own_template_is_patched_to_the_rendering(cluster: SmallCluster, policy: str) -> None:
    request = cluster.request(refreshPolicy=policy)
    cluster.create_template(request)
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Rendered)
    assert (outcome.written, outcome.published) == (True, published(cluster.template))
    assert outcome.source == vm_digest.source_of(cluster.vm)
    assert memory(cluster) == "256Mi"
    calls = [call for call in READ_AND_PATCHED if policy == "Once" or call != "GET request"]
    assert cluster.connection.calls == calls


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_forged_label_does_not_keep_its_content(cluster: SmallCluster, policy: str) -> None:
    request = cluster.request(refreshPolicy=policy)
    forged = {"objects": [{"kind": "VirtualMachine", "spec": {"image": "evil"}}], "message": "evil"}
    cluster.server.create(a_template(labels={UID: request.uid}) | forged)
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Rendered)
    assert outcome.published == published(cluster.template)
    assert "evil" not in str(cluster.template)
    assert memory(cluster) == "128Mi"


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_equal_own_template_costs_no_write(cluster: SmallCluster, policy: str) -> None:
    request = cluster.request(refreshPolicy=policy)
    before = cluster.create_template(request)
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Rendered)
    assert (outcome.written, outcome.published) == (False, published(before))
    assert cluster.connection.calls == ["POST template", "GET template"]


async def test_once_finished_by_another_replica_is_not_patched(cluster: SmallCluster) -> None:
    """The template belongs to its user as soon as the status reports it."""
    request = cluster.request()
    before = cluster.create_template(request)
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    cluster.server.edit(REQUESTS, cluster.api.request, {"status": REFRESHED}, status=True)
    assert await cluster.publish(request) == Conflict("request")
    assert cluster.template == before


async def test_once_removes_the_refresh_label(cluster: SmallCluster) -> None:
    request = cluster.request()
    before = cluster.create_template(request, labels={UID: request.uid, REFRESH: "OnChange", "team": "db"})
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Rendered)
    assert outcome.published == published(cluster.template)
    assert cluster.template is not None
    labels = cluster.template["metadata"]["labels"]
    assert (labels[UID], labels["team"], REFRESH in labels) == (request.uid, "db", False)
    assert cluster.template["objects"] == before["objects"]
    assert cluster.connection.calls == READ_AND_PATCHED


async def test_refresh_reads_the_template_first(cluster: SmallCluster) -> None:
    request = cluster.request(REFRESHED, refreshPolicy="OnChange")
    cluster.create_template(request)
    await cluster.publish(request)
    assert cluster.connection.calls == ["GET template"]


async def test_removed_refresh_label_is_restored(cluster: SmallCluster) -> None:
    request = cluster.request(refreshPolicy="OnChange")
    cluster.create_template(request, labels={UID: request.uid})
    assert isinstance(await cluster.publish(request), Rendered)
    assert cluster.template is not None
    assert cluster.template["metadata"]["labels"][REFRESH] == "OnChange"
    assert cluster.connection.calls == READ_AND_PATCHED


async def test_detached_template_is_not_patched(cluster: SmallCluster) -> None:
    request = cluster.request(refreshPolicy="OnChange")
    before = cluster.create_template(request, labels={UID: request.uid})
    cluster.server.edit(REQUESTS, cluster.api.request, {"spec": {"refreshPolicy": "Once"}})
    assert await cluster.publish(request) == Conflict("request")
    assert cluster.template == before


# A template of another owner exists


async def test_orphaned_template_is_taken_over() -> None:
    cluster = SmallCluster(ticking())
    request = cluster.request()
    cluster.create_template(request, labels={UID: "deleted", REFRESH: "OnChange", "team": "db"})
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Rendered)
    assert outcome.written
    assert cluster.template is not None
    labels = cluster.template["metadata"]["labels"]
    assert (labels[UID], labels["team"], REFRESH in labels) == (request.uid, "db", False)
    calls = ["POST template", "GET template", "GET request", "GET request", "PATCH template"]
    assert cluster.connection.calls == calls


UNOWNED: dict[str, Object] = {  # metadata of the existing template
    "a user's": {},
    "another request's": {"labels": {UID: "2-2"}, "annotations": {NAME: "team-a/other"}},
}


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
@pytest.mark.parametrize("owner", UNOWNED)
async def test_unowned_template_is_never_changed(cluster: SmallCluster, owner: str, policy: str) -> None:
    before = cluster.server.create(a_template(**UNOWNED[owner]))
    outcome = await cluster.publish(cluster.request(refreshPolicy=policy))
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.requeue_after) == (Reason.TARGET_CONFLICT, 60.0)
    assert cluster.template == before


LIFETIMES: dict[str, Object] = {  # metadata: another writer decides when the template is deleted
    "owned by an object": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "9"}]},
    "with a finalizer": {"finalizers": ["example.com/a"]},
    "being deleted": {"finalizers": ["example.com/a"]},
}


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
@pytest.mark.parametrize("lifetime", LIFETIMES)
@pytest.mark.parametrize("owner", ["this request", "a previous request"])
async def test_held_template_is_not_adopted(cluster: SmallCluster, owner: str, lifetime: str, policy: str) -> None:
    """It could be forged, and deleted after the request reports it."""
    request = cluster.request(refreshPolicy=policy)
    labels = {UID: request.uid if owner == "this request" else "gone"}
    cluster.create_template(request, labels=labels, **LIFETIMES[lifetime])
    if lifetime == "being deleted":
        cluster.server.delete(TEMPLATES, cluster.api.template)
    before = cluster.template
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.requeue_after) == (Reason.TARGET_CONFLICT, 60.0)
    assert f"metadata.{next(iter(LIFETIMES[lifetime]))}" in outcome.message
    assert cluster.template == before


async def test_adopted_template_keeps_its_lifetime(cluster: SmallCluster) -> None:
    first = cluster.request(refreshPolicy="OnChange")
    template = cluster.create_template(first, **LIFETIMES["owned by an object"])
    request = named(cluster, template)
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    assert isinstance(await cluster.publish(request), Rendered)
    assert memory(cluster) == "256Mi"
    assert cluster.template is not None
    assert cluster.template["metadata"]["ownerReferences"] == LIFETIMES["owned by an object"]["ownerReferences"]


async def test_exchanged_template_gets_its_provenance(cluster: SmallCluster) -> None:
    """Another user deleted the template of a refreshed request and created one with its label."""
    first = cluster.request(refreshPolicy="OnChange")
    template = cluster.create_template(first)
    request = named(cluster, template)
    cluster.server.delete(TEMPLATES, cluster.api.template)
    labels, annotations = template["metadata"]["labels"], template["metadata"]["annotations"]
    source = {"ssp.kubevirt.io/source": "team-b/other"}
    cluster.create_template(first, labels=labels, annotations=annotations | source)
    assert isinstance(await cluster.publish(request), Rendered)
    assert cluster.template is not None
    assert cluster.template["metadata"]["annotations"] == annotations


@pytest.mark.parametrize("clock", ["same second", "later"])
async def test_template_of_a_previous_request_is_not_overwritten(clock: str) -> None:
    cluster = SmallCluster(ticking()) if clock == "later" else SmallCluster()
    before = cluster.server.create(a_template(labels={UID: "2-2"}, annotations={NAME: "team-a/request"}))
    outcome = await cluster.publish(cluster.request())
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.TARGET_CONFLICT
    assert before["metadata"]["creationTimestamp"] in outcome.message
    assert cluster.template == before


async def test_equal_template_of_a_previous_request_is_taken_over(cluster: SmallCluster) -> None:
    """As after a restore from a backup: the request has another uid, and nothing is lost."""
    request = cluster.request()
    before = cluster.create_template(request, labels={UID: "2-2", "team": "db"})
    outcome = await cluster.publish(request)
    assert isinstance(outcome, Rendered)
    assert cluster.template is not None
    labels = cluster.template["metadata"]["labels"]
    assert (labels[UID], labels["team"]) == (request.uid, "db")
    assert cluster.template["objects"] == before["objects"]


@pytest.mark.parametrize("stopped", [False, True])  # a process stopped after the patch, before it wrote the status
@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_take_over_keeps_the_metadata_of_users(cluster: SmallCluster, policy: str, stopped: bool) -> None:
    request = cluster.request(refreshPolicy=policy)
    edited = {"description": "Use it well.", "tags": "", NAME: "team-a/request"}
    before = cluster.create_template(request, labels={UID: "2-2", "team": "db"}, annotations=edited)
    for _ in range(1 + stopped):
        assert isinstance(await cluster.publish(request), Rendered)
    assert cluster.template is not None
    metadata = cluster.template["metadata"]
    kept = {key: value for key, value in metadata["annotations"].items() if not key.startswith("ssp.kubevirt.io/")}
    assert kept == {"description": "Use it well.", "tags": ""}
    refresh = {REFRESH: "OnChange"} if policy == "OnChange" else {}
    assert metadata["labels"] == {UID: request.uid, "team": "db"} | refresh
    assert "ssp.kubevirt.io/source-uid" in metadata["annotations"]
    assert cluster.template["objects"] == before["objects"]


async def test_template_deleted_after_the_conflict(cluster: SmallCluster) -> None:
    class Fleeting(InMemory):
        async def call(self, method: str, path: str, **what: Any) -> Response:
            answer = await super().call(method, path, **what)
            if method == "POST":
                cluster.server.delete(TEMPLATES, cluster.api.template)
            return answer

    cluster.server.create(a_template())
    fleeting = ClusterClient(Fleeting(cluster.server), NAMESPACE).cluster
    request = cluster.request()
    assert await publish(request, spec_of(request), cluster.encoded(request), fleeting) == Conflict("template")


# The VM was deleted


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_unpublished_template_is_not_adopted_without_its_vm(cluster: SmallCluster, policy: str) -> None:
    request = cluster.request(refreshPolicy=policy)
    cluster.create_template(request)
    assert await source_deleted(request, spec_of(request), cluster.cluster) is None


async def test_refreshed_template_remains_without_its_vm(cluster: SmallCluster) -> None:
    first = cluster.request(refreshPolicy="OnChange")
    template = cluster.create_template(first)
    request = named(cluster, template)
    assert await source_deleted(request, spec_of(request), cluster.cluster) == SourceGone(cluster.api.vm)


async def test_replaced_template_is_not_reported_as_rendered(cluster: SmallCluster) -> None:
    first = cluster.request(refreshPolicy="OnChange")
    template = cluster.create_template(first)
    request = named(cluster, template)
    cluster.server.delete(TEMPLATES, cluster.api.template)
    cluster.server.create(a_template(labels={UID: request.uid}))
    assert await source_deleted(request, spec_of(request), cluster.cluster) is None


def named(cluster: SmallCluster, template: Object) -> Any:
    """Return the request with a status that names the template."""
    status = REFRESHED | {"templateRef": {"uid": template["metadata"]["uid"]}}
    return seen(cluster.server.edit(REQUESTS, cluster.api.request, {"status": status}, status=True))


# OnChange becomes Once


async def test_detach_removes_the_refresh_label_only(cluster: SmallCluster) -> None:
    request = cluster.request(REFRESHED, refreshPolicy="OnChange")
    before = cluster.create_template(request)
    cluster.connection.calls.clear()
    assert await detach(request, spec_of(request), cluster.cluster)
    assert cluster.template is not None
    labels = {key: value for key, value in before["metadata"]["labels"].items() if key != REFRESH}
    assert cluster.template["metadata"]["labels"] == labels
    assert {**cluster.template, "metadata": 0} == {**before, "metadata": 0}
    assert await detach(request, spec_of(request), cluster.cluster)
    assert cluster.connection.calls == ["GET template", "PATCH template", "GET template"]


async def test_detach_finishes_only_a_rendered_request(cluster: SmallCluster) -> None:
    rendered, other = cluster.request(REFRESHED), cluster.server.create(a_request("other"))
    assert await detach(rendered, spec_of(rendered), cluster.cluster)
    assert not await detach(seen(other), spec_of(rendered), cluster.cluster)
    before = cluster.server.create(a_template(labels={REFRESH: "OnChange"}))
    assert await detach(rendered, spec_of(rendered), cluster.cluster)
    assert cluster.template == before


async def test_forged_template_finishes_no_detach(cluster: SmallCluster) -> None:
    failed = REFRESHED | {"conditions": []}
    request = cluster.request(failed)
    cluster.server.create(a_template(labels={UID: request.uid}))
    assert not await detach(request, spec_of(request), cluster.cluster)


def memory(cluster: SmallCluster) -> str:
    assert cluster.template is not None
    [value] = [each["value"] for each in cluster.template["parameters"] if each["name"] == "REQUESTS_MEMORY"]
    return str(value)
