"""One reconcile of one request: its outcome, its calls, and the status that it writes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller import vm_digest
from atmpl.controller.authorization import PolicyCheck
from atmpl.controller.cluster import (
    AlreadyExistsError,
    APINotFoundError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NamespaceTerminatingError,
    StreamState,
    TooLargeError,
    UnavailableError,
)
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Expired,
    InternalError,
    Outcome,
    Postponed,
    Reason,
    Rejected,
    Rendered,
    RequestGone,
    Retry,
    SourceGone,
    UpToDate,
)
from atmpl.controller.reconcile import API_RECHECK_SECONDS, SOURCE_RECHECK_SECONDS, outcome_of_error, reconcile
from atmpl.controller.request import Request, parse_request
from tests.support import admission
from tests.support.api_under_test import ClusterClient, seen, version
from tests.support.builders import NAMESPACE, a_request, a_template, with_memory
from tests.support.fixtures import ONLY_HERE, READY, REFRESHED, InstanceCounter, SmallCluster, published
from tests.support.resources import REQUESTS, TEMPLATES, VMS, Object, Resource

SINCE = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)  # of READY
DONE: Object = {"conditions": [READY], "templateRef": {"uid": "1"}}

# Failed calls

ERRORS: dict[str, tuple[ClusterError, Outcome]] = {
    "no answer": (
        UnavailableError("timeout"),
        Retry(Reason.FAILED, "The API server did not answer as expected: timeout"),
    ),
    "Retry-After": (
        UnavailableError("slow down", 7.0),
        Retry(Reason.FAILED, "The API server did not answer as expected: slow down", 7.0),
    ),
    "forbidden": (
        ForbiddenError("cannot create"),
        Retry(Reason.FORBIDDEN, "The API server denied a call of the controller: cannot create"),
    ),
    "terminating namespace": (NamespaceTerminatingError("team-a"), RequestGone(requeue_after=180.0)),
    "conflict": (ConflictError("modified"), Conflict("modified")),
    "name taken": (AlreadyExistsError("exists"), Conflict("exists")),
    "invalid object": (
        InvalidError("no"),
        Retry(Reason.FAILED, "The API server rejected a call of the controller: no"),
    ),
    "too large, not a template": (
        TooLargeError("large"),
        Retry(Reason.FAILED, "The API server rejected a call of the controller: large"),
    ),
    "API not served, not a template's": (
        APINotFoundError("404"),
        Retry(Reason.FAILED, "The API server rejected a call of the controller: 404"),
    ),
    "other": (ClusterError("?"), Retry(Reason.FAILED, "The API server rejected a call of the controller: ?")),
}


@pytest.mark.parametrize("case", ERRORS)
def test_failed_call_has_one_outcome(case: str) -> None:
    error, outcome = ERRORS[case]
    assert outcome_of_error(error) == outcome


def fresh(**spec: Any) -> Request:
    posted = a_request(**spec)
    metadata = {"uid": "1", "resourceVersion": "7", "creationTimestamp": admission.CREATED}
    return parse_request(orjson.dumps(posted | {"metadata": posted["metadata"] | metadata}))


class Broken:
    """A cluster whose calls fail, and without a VM. It records the statuses."""

    def __init__(
        self,
        *,
        reads: Exception | None = None,
        writes: Exception | None = None,
        policies: Any = admission.IN_FORCE,
    ) -> None:
        self._reads, self._writes, self._policies = reads, writes, policies
        self.written: list[Any] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 5, 1, 0, tzinfo=UTC)

    def serves_namespace(self, _: str) -> bool:
        return True

    def vm_stream(self, _: str) -> StreamState:
        return StreamState.WATCHING

    def template_stream(self, *_: Any) -> StreamState:
        return StreamState.WATCHING

    def vm_digest(self, _: ObjectKey) -> None:
        return None

    def template_version(self, *_: Any) -> None:
        return None

    async def policies(self) -> Any:
        if isinstance(self._policies, Exception):
            raise self._policies
        return self._policies

    async def vm(self, *_: Any, **__: Any) -> None:
        if self._reads:
            raise self._reads

    async def template_meta(self, *_: Any) -> None:
        return None

    async def write_status(self, _: Any, status: Any) -> None:
        self.written.append(status)
        if self._writes:
            raise self._writes

    def condition(self, type: str = "Ready") -> Any:
        [status] = self.written
        return next((each for each in status["conditions"] if each["type"] == type), None)


INTERNAL = "Internal error of the controller (RuntimeError); the request is retried"


async def test_internal_error_shows_its_type_only() -> None:
    cluster = Broken(reads=RuntimeError("hunter2"))
    assert (await reconcile(fresh(), cluster)).outcome == InternalError(Reason.FAILED, INTERNAL)
    assert cluster.condition()["message"] == INTERNAL


async def test_internal_error_in_the_status_write_is_retried() -> None:
    result = await reconcile(fresh(), Broken(writes=RuntimeError()))
    assert result.outcome == InternalError(Reason.FAILED, INTERNAL)


async def test_failed_status_write_is_retried() -> None:
    assert (await reconcile(fresh(), Broken(writes=ConflictError("modified")))).outcome == Conflict("modified")
    result = await reconcile(fresh(), Broken(writes=APINotFoundError("404")))
    assert isinstance(result.outcome, Retry)


@pytest.mark.parametrize(("failures", "written"), [(0, False), (2, False), (3, True), (9, True)])
async def test_retry_after_writes_no_status_at_first(failures: int, written: bool) -> None:
    cluster = Broken(reads=UnavailableError("slow down", 7.0))
    result = await reconcile(fresh(), cluster, failures=failures)
    assert result.outcome == Retry(Reason.FAILED, "The API server did not answer as expected: slow down", 7.0)
    assert bool(cluster.written) == written


async def test_failure_without_retry_after_writes_the_status() -> None:
    cluster = Broken(reads=UnavailableError("reset"))
    await reconcile(fresh(), cluster)
    assert cluster.condition()["reason"] == "Failed"


# The admission policy


async def test_vm_is_not_read_without_a_policy() -> None:
    cluster = Broken(reads=AssertionError("the VM was read"), policies=admission.ABSENT)
    result = await reconcile(fresh(), cluster)
    assert isinstance(result.outcome, Blocked)
    assert (result.outcome.reason, result.policy_check) == (Reason.POLICY_MISSING, PolicyCheck.POLICY_ABSENT)
    assert cluster.condition("Stalled")["status"] == "True"


async def test_optional_policy_lets_the_vm_be_read() -> None:
    cluster = Broken(policies=admission.ABSENT)
    result = await reconcile(fresh(), cluster, policy_required=False)
    assert (result.outcome.name, result.policy_check) == ("SourceNotFound", None)


async def test_policy_in_force_lets_the_vm_be_read() -> None:
    cluster = Broken()
    result = await reconcile(fresh(), cluster)
    assert (result.outcome.name, result.policy_check) == ("SourceNotFound", PolicyCheck.IN_FORCE)
    assert cluster.condition("Authorized") is None


@pytest.mark.parametrize("error", [UnavailableError("reset"), APINotFoundError("404")])
async def test_unreadable_policy_is_retried(error: ClusterError) -> None:
    cluster = Broken(policies=error)
    assert isinstance((await reconcile(fresh(), cluster)).outcome, Retry)
    assert cluster.condition()["reason"] == "Failed"


# One request in a cluster


class ReconcilingCluster(SmallCluster):
    """A cluster in memory in which requests are reconciled."""

    def __init__(self) -> None:
        self.time = SINCE
        super().__init__(lambda: self.time)

    async def reconcile(self, request: Request, *, later: float = 0.0) -> Outcome:
        """Reconcile a request; the calls are recorded without the status write."""
        self.connection.calls.clear()
        self.time = SINCE + timedelta(seconds=later)
        outcome = (await reconcile(request, self.cluster, policy_required=False)).outcome
        if self.connection.calls[-1:] == ["PATCH status"]:
            self.connection.calls.pop()
        return outcome

    def shown(self, **changed: Any) -> None:
        """Show the VM in the stream, with other metadata."""
        self.api.vms.upsert(msgspec.Raw(orjson.dumps({"metadata": self.vm["metadata"] | changed})))

    def template_shown(self) -> None:
        """Show the template in the stream."""
        assert self.template is not None
        self.api.templates["openshift"].upsert(msgspec.Raw(orjson.dumps(self.template)))

    def refreshed(self) -> Request:
        """Return a refreshed request that is up to date by both streams and its status."""
        first = self.request(refreshPolicy="OnChange")
        self.create_template(first)
        self.shown()
        self.template_shown()
        rendered = {"digest": vm_digest.digest_of(self.vm), "templateResourceVersion": version(self.template)}
        assert self.template is not None
        of = {"templateRef": {"uid": self.template["metadata"]["uid"]}, "source": {"uid": self.vm["metadata"]["uid"]}}
        return self.status_from(REFRESHED | of | {"rendered": rendered})

    def current(self) -> Request:
        """Return the request as it is stored."""
        stored = self.server.get(REQUESTS, self.api.request)
        assert stored is not None
        return seen(stored)

    def status_from(self, status: Object) -> Request:
        return seen(self.server.edit(REQUESTS, self.api.request, {"status": status}, status=True))


@pytest.fixture
def cluster() -> ReconcilingCluster:
    return ReconcilingCluster()


# Nothing to do


async def test_deleted_request_is_not_reconciled(cluster: ReconcilingCluster) -> None:
    cluster.request()
    cluster.server.edit(REQUESTS, cluster.api.request, {"metadata": {"finalizers": ["atmpl.example/wait"]}})
    cluster.server.delete(REQUESTS, cluster.api.request)
    assert await cluster.reconcile(cluster.status_from({})) == RequestGone()
    assert cluster.connection.calls == []


TTLS: dict[str, tuple[Object, float, Outcome, list[str]]] = {  # spec, seconds since success: outcome, calls
    "no TTL": ({}, 1e9, UpToDate(), []),
    "before the end of the TTL": ({"ttlSecondsAfterFinished": 60}, 59.0, UpToDate(requeue_after=1.0), []),
    "at the end of the TTL": ({"ttlSecondsAfterFinished": 60}, 60.0, Expired(), ["DELETE request"]),
    "long after the TTL": ({"ttlSecondsAfterFinished": 60}, 1e6, Expired(), ["DELETE request"]),
    "a TTL of 0": ({"ttlSecondsAfterFinished": 0}, 0.0, Expired(), ["DELETE request"]),
}


@pytest.mark.parametrize("case", TTLS)
async def test_finished_request_costs_no_call_until_its_ttl(cluster: ReconcilingCluster, case: str) -> None:
    spec, later, outcome, calls = TTLS[case]
    request = cluster.request(DONE, **spec)
    assert await cluster.reconcile(request, later=later) == outcome
    assert cluster.connection.calls == calls


async def test_up_to_date_request_costs_no_call(cluster: ReconcilingCluster) -> None:
    assert await cluster.reconcile(cluster.refreshed()) == UpToDate()
    assert cluster.connection.calls == []


async def test_unsupported_request_stays_finished(
    cluster: ReconcilingCluster,
) -> None:
    fresh = cluster.request(refreshPolicy="Weekly")
    found = await cluster.reconcile(fresh)
    assert found == Rejected(Reason.UNSUPPORTED, "spec.refreshPolicy is 'Weekly': write Once or OnChange")
    assert await cluster.reconcile(cluster.status_from(DONE)) == UpToDate()
    assert isinstance(await cluster.reconcile(cluster.status_from(REFRESHED)), Rejected)
    assert cluster.connection.calls == []


# The VM


async def test_fresh_request_costs_two_calls(cluster: ReconcilingCluster) -> None:
    found = await cluster.reconcile(cluster.request())
    assert isinstance(found, Rendered)
    assert (found.source, found.published) == (vm_digest.source_of(cluster.vm), published(cluster.template))
    assert found.seconds > 0
    assert cluster.connection.calls == ["GET vm", "POST template"]


LARGE: dict[str, tuple[Object, bool]] = {  # spec.template.spec, whether its template is large
    "a long text": ({"hostname": "h" * 100_000}, True),
    "many short texts": ({"readinessProbe": {"exec": {"command": ["x"] * 600}}}, True),  # 150 bytes for each
    "many short texts, not too many": ({"readinessProbe": {"exec": {"command": ["x"] * 400}}}, False),
}


@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("has_slot", [False, True])
async def test_large_template_is_written_if_a_slot_is_free(
    cluster: ReconcilingCluster, case: str, has_slot: bool
) -> None:
    instance, is_large = LARGE[case]
    cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": {"spec": instance}}})
    calls_before: list[list[str]] = []

    def claim_large() -> bool:
        calls_before.append([*cluster.connection.calls])
        return has_slot

    request = cluster.request()
    cluster.connection.calls.clear()
    result = await reconcile(request, cluster.cluster, policy_required=False, claim_large=claim_large)
    assert calls_before == ([["GET vm"]] if is_large else [])
    if is_large and not has_slot:
        assert (result.outcome, cluster.connection.calls) == (Postponed(), ["GET vm"])
    else:
        assert cluster.connection.calls == ["GET vm", "POST template", "PATCH status"]
    assert cluster.cluster.is_large(cluster.api.vm) is is_large


async def test_vm_whose_template_becomes_small_is_not_large(cluster: ReconcilingCluster) -> None:
    request = cluster.request()
    cluster.cluster.record_size(cluster.api.vm, is_large=True)
    assert isinstance(await cluster.reconcile(request), Rendered)
    assert not cluster.cluster.is_large(cluster.api.vm)


async def test_vm_and_template_are_freed_before_the_write(
    cluster: ReconcilingCluster,
) -> None:
    instance = {"hostname": "h", "nodeSelector": {ONLY_HERE: "a"}}
    cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": {"spec": instance}}})
    request = cluster.request()
    counter = InstanceCounter(cluster.server, "POST")
    counted = ClusterClient(counter, NAMESPACE).cluster
    assert counter.before > 0
    assert isinstance((await reconcile(request, counted, policy_required=False)).outcome, Rendered)
    assert counter.kept == [0]


async def test_missing_vm_blocks(cluster: ReconcilingCluster) -> None:
    cluster.server.delete(VMS, cluster.api.vm)
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.requeue_after) == (Reason.SOURCE_NOT_FOUND, None)
    assert cluster.connection.calls == ["GET vm"]


async def test_missing_kubevirt_blocks(cluster: ReconcilingCluster) -> None:
    cluster.server.unserved.add(VMS)
    cluster.api.vms.mark_synced(served=False)
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.SOURCE_NOT_FOUND
    assert "install KubeVirt" in outcome.message


@pytest.mark.parametrize("resource", [VMS, TEMPLATES], ids=["VMs", "templates"])
async def test_404_of_an_api_is_retried_unless_its_stream_agrees(
    cluster: ReconcilingCluster, resource: Resource
) -> None:
    cluster.server.unserved.add(resource)
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Retry)
    assert outcome.retry_after == API_RECHECK_SECONDS


@pytest.mark.parametrize("state", ["syncing", "interrupted"])
async def test_missing_vm_is_read_again_without_a_stream(cluster: ReconcilingCluster, state: str) -> None:
    cluster.server.delete(VMS, cluster.api.vm)
    cluster.api.vms.is_watched = False
    if state == "syncing":
        cluster.api.vms.is_served = None
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.requeue_after) == (Reason.SOURCE_NOT_FOUND, SOURCE_RECHECK_SECONDS)


@pytest.mark.parametrize("stream", ["VMs", "templates"])
async def test_refresh_waits_for_both_lists(cluster: ReconcilingCluster, stream: str) -> None:
    request = cluster.refreshed()
    store = cluster.api.vms if stream == "VMs" else cluster.api.templates["openshift"]
    store.is_served = None
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    cluster.shown()
    assert await cluster.reconcile(request) == UpToDate()
    assert cluster.connection.calls == []
    store.mark_synced(served=True)
    assert isinstance(await cluster.reconcile(cluster.current()), Rendered)


async def test_first_rendering_waits_for_no_list(cluster: ReconcilingCluster) -> None:
    for store in (cluster.api.vms, *cluster.api.templates.values()):
        store.is_served = None
    assert isinstance(await cluster.reconcile(cluster.request(refreshPolicy="OnChange")), Rendered)


async def test_vm_that_the_stream_has_not_shown_is_read(cluster: ReconcilingCluster) -> None:
    request = cluster.refreshed()
    cluster.api.vms.forget(cluster.api.vm)
    assert isinstance(await cluster.reconcile(request), Rendered)
    assert cluster.connection.calls == ["GET vm", "GET template"]
    assert await cluster.reconcile(cluster.current()) == UpToDate()
    assert cluster.connection.calls == []


async def test_source_in_an_unserved_namespace_is_unsupported(cluster: ReconcilingCluster) -> None:
    cluster.cluster._vms = {"team-z": cluster.api.vms}
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.UNSUPPORTED
    assert cluster.connection.calls == []


async def test_invalid_vm_is_rejected_with_its_path(cluster: ReconcilingCluster) -> None:
    vm = cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": None}})
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.refused_digest) == (Reason.INVALID_SOURCE, vm_digest.digest_of(vm))
    assert "spec.template" in outcome.message


async def test_too_large_vm_is_rejected(cluster: ReconcilingCluster) -> None:
    large = {"spec": {"template": {"spec": {"nodeSelector": {"a": "<" * 174_763}}}}}  # each counts as six bytes
    vm = cluster.server.edit(VMS, cluster.api.vm, large)
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.refused_digest) == (Reason.TOO_LARGE, vm_digest.digest_of(vm))
    assert cluster.connection.calls == ["GET vm"]


@pytest.mark.parametrize("shown", [True, False])
async def test_refused_vm_is_not_rendered_again(cluster: ReconcilingCluster, *, shown: bool) -> None:
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": None}})
    request = cluster.request()
    await cluster.reconcile(request)
    if not shown:
        cluster.api.vms.forget(cluster.api.vm)
    assert await cluster.reconcile(cluster.current()) == UpToDate()
    assert cluster.connection.calls == ([] if shown else ["GET vm"])
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": {"spec": {"domain": {}}}}})
    cluster.shown()
    assert isinstance(await cluster.reconcile(cluster.current()), Rendered)


@pytest.mark.parametrize("version", ["", "0.0.9 "])  # the first versions wrote none
async def test_refused_vm_is_rendered_again_after_an_upgrade(cluster: ReconcilingCluster, version: str) -> None:
    cluster.shown()
    refused = {"digest": f"{version}{vm_digest.digest_of(cluster.vm)}"}
    ready = READY | {"status": "False", "reason": "InvalidSource"}
    request = cluster.request({"conditions": [ready], "refused": refused})
    assert isinstance(await cluster.reconcile(request), Rendered)


async def test_first_rendering_does_not_use_the_watch_cache(cluster: ReconcilingCluster) -> None:
    old = cluster.vm
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    cluster.api.vms.upsert(msgspec.Raw(orjson.dumps({"metadata": old["metadata"]})))
    cluster.server.cached_at = int(version(old))
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Rendered)
    assert outcome.source == vm_digest.source_of(cluster.vm)
    assert cluster.connection.calls == ["GET vm", "POST template"]


async def test_first_rendering_does_not_use_a_deleted_vm(cluster: ReconcilingCluster) -> None:
    cluster.shown()
    cluster.server.cached_at = int(version(cluster.vm))
    cluster.server.delete(VMS, cluster.api.vm)
    outcome = await cluster.reconcile(cluster.request())
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.SOURCE_NOT_FOUND


async def test_refresh_reads_an_older_vm_again(cluster: ReconcilingCluster) -> None:
    old = cluster.vm
    cluster.vm = cluster.server.edit(VMS, cluster.api.vm, with_memory("256Mi"))
    cluster.api.vms.upsert(msgspec.Raw(orjson.dumps({"metadata": old["metadata"]})))
    cluster.server.cached_at = int(version(old))
    request = cluster.request(
        REFRESHED | {"source": {"resourceVersion": version(cluster.vm)}}, refreshPolicy="OnChange"
    )
    found = await cluster.reconcile(request)
    assert isinstance(found, Rendered)
    assert found.source.resource_version == version(cluster.vm)
    assert cluster.connection.calls[:2] == ["GET vm", "GET vm"]


# An existing template


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
async def test_unverified_template_is_not_adopted(cluster: ReconcilingCluster, policy: str) -> None:
    """Any user can write the label, and only the rendering of the VM proves the content."""
    request = cluster.request(refreshPolicy=policy)
    before = cluster.create_template(request)
    cluster.server.edit(VMS, cluster.api.vm, {"spec": {"template": None}})
    assert isinstance(await cluster.reconcile(request), Rejected)
    cluster.server.delete(VMS, cluster.api.vm)
    last = cluster.vm["metadata"] | {"resourceVersion": "999"}
    cluster.api.vms.delete(msgspec.Raw(orjson.dumps({"metadata": last})))
    assert isinstance(await cluster.reconcile(cluster.current()), Blocked)
    assert cluster.template == before


async def test_deleted_vm_is_reported_once(cluster: ReconcilingCluster) -> None:
    request = cluster.refreshed()
    cluster.server.delete(VMS, cluster.api.vm)
    last = cluster.vm["metadata"] | {"resourceVersion": "999"}
    cluster.api.vms.delete(msgspec.Raw(orjson.dumps({"metadata": last})))
    assert await cluster.reconcile(request) == SourceGone(cluster.api.vm)
    gone = {"reason": "SourceGone", "message": "", "path": ""}
    assert await cluster.reconcile(cluster.status_from({"warnings": [gone]})) == UpToDate()
    assert cluster.connection.calls == []


DRIFT: dict[str, Object] = {  # what changes: the VM or the template
    "the VM": with_memory("256Mi"),
    "the template": {"parameters": []},
}


@pytest.mark.parametrize("case", DRIFT)
async def test_refresh_costs_two_reads_and_a_patch(cluster: ReconcilingCluster, case: str) -> None:
    request = cluster.refreshed()
    if case == "the VM":
        cluster.vm = cluster.server.edit(VMS, cluster.api.vm, DRIFT[case])
        cluster.shown()
    else:
        cluster.server.edit(TEMPLATES, cluster.api.template, DRIFT[case])
        cluster.template_shown()
    found = await cluster.reconcile(request)
    assert isinstance(found, Rendered)
    assert found.written
    assert cluster.connection.calls == ["GET vm", "GET template", "PATCH template"]


async def test_deleted_template_is_created_again(cluster: ReconcilingCluster) -> None:
    request = cluster.refreshed()
    there = cluster.template
    cluster.server.delete(TEMPLATES, cluster.api.template)
    cluster.api.templates["openshift"].delete(msgspec.Raw(orjson.dumps(there)))
    assert isinstance(await cluster.reconcile(request), Rendered)
    assert cluster.connection.calls == ["GET vm", "GET template", "POST template"]


async def test_detach_reads_no_vm(
    cluster: ReconcilingCluster,
) -> None:
    cluster.refreshed()
    cluster.server.edit(REQUESTS, cluster.api.request, {"spec": {"refreshPolicy": "Once"}})
    assert await cluster.reconcile(cluster.status_from({})) == Detached()
    assert cluster.connection.calls == ["GET template", "PATCH template"]


# A blocked request


async def test_unserved_format_blocks(cluster: ReconcilingCluster) -> None:
    cluster.server.unserved.add(TEMPLATES)
    cluster.api.templates["openshift"].mark_synced(served=False)
    message = "This cluster does not serve template.openshift.io/v1 Template. The template is created when it does"
    assert await cluster.reconcile(cluster.request()) == Blocked(Reason.FORMAT_UNAVAILABLE, message, requeue_after=60.0)


@pytest.mark.parametrize(("reason", "again"), [("TargetConflict", 60.0), ("FormatUnavailable", 60.0)])
async def test_blocked_request_costs_one_read(cluster: ReconcilingCluster, reason: str, again: float) -> None:
    if reason == "TargetConflict":
        cluster.server.create(a_template())
    else:
        cluster.server.unserved.add(TEMPLATES)
    request = cluster.request({"conditions": [READY | {"status": "False", "reason": reason}]})
    assert await cluster.reconcile(request) == UpToDate(requeue_after=again)
    assert cluster.connection.calls == ["GET template"]
