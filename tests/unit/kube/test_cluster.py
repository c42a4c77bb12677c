"""The calls of a reconcile: their form, and what the responses mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
from aiohttp import web

from atmpl.controller.admission_policy import V1
from atmpl.controller.cluster import (
    AccessReview,
    AlreadyExistsError,
    APINotFoundError,
    ClusterError,
    ConflictError,
    PolicyObjects,
    TemplateMeta,
    UnavailableError,
    Unknown,
)
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Published
from atmpl.controller.request import Request, Requester, parse_request
from atmpl.kube.client import METADATA, ServerClock
from atmpl.kube.cluster import KubeCluster, SharedRead
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.template import FORMATS
from tests.support.scripted_server import Act, Call, Script, connected, cut_off, found, status, text
from tests.support.virtual_clock import now, virtual
from tests.unit.kube.test_requests import raw, request

OPENSHIFT = FORMATS["openshift"]
ONE = ObjectKey("ns", "one")
VM = ObjectKey("ns", "vm")
META = {
    "name": "vm",
    "namespace": "ns",
    "uid": "u",
    "resourceVersion": "7",
    "creationTimestamp": "2030-01-01T00:00:00Z",
}
OBJECT = {"metadata": META}
GONE = status(404, "NotFound", "not found", {"kind": "virtualmachines"})


class Setting:
    """A cluster, its stores, and the calls that the server received."""

    def __init__(self, script: Script, cluster: KubeCluster, requests: RequestStore, vms: VMStore) -> None:
        self.script, self.cluster, self.requests, self.vms = script, cluster, requests, vms

    @property
    def calls(self) -> list[Call]:
        return self.script.calls


@asynccontextmanager
async def setting(*acts: Act, seen: bool = True) -> AsyncIterator[Setting]:
    requests, vms = RequestStore(lambda _, **__: None), VMStore(lambda _: None, {VM})
    kept = {(name, ""): TemplateStore(lambda _: None) for name in FORMATS}
    if seen:
        vms.upsert(msgspec.Raw(orjson.dumps(OBJECT)))
    script = Script(*acts)
    async with connected(script) as connection:
        yield Setting(
            script, KubeCluster(connection, requests, {"": vms}, kept, now=connection.clock.now), requests, vms
        )


def parsed_request() -> Request:
    return parse_request(raw(request(5)))


# --- reads


@virtual
async def test_vm_is_read_from_the_cache_at_the_known_version() -> None:
    async with setting(found(OBJECT)) as there:
        assert await there.cluster.vm(VM) == OBJECT
    [call] = there.calls
    assert (call.method, call.path) == ("GET", "/apis/kubevirt.io/v1/namespaces/ns/virtualmachines/vm")
    assert call.query == {"resourceVersion": "7"}


async def slow(request: web.Request) -> web.StreamResponse:
    """Return the VM after a second."""
    await asyncio.sleep(1)
    return await found(OBJECT)(request)


@virtual
async def test_number_of_concurrent_vm_reads_is_limited() -> None:
    async with setting(*[slow] * 60) as there:
        began = now()
        await asyncio.gather(*(there.cluster.vm(VM) for _ in range(60)))
    assert [round(call.at - began) for call in there.calls] == [0] * 24 + [1] * 24 + [2] * 12


@virtual
async def test_list_that_ends_before_a_waiting_read_does_not_overrule_it() -> None:
    async with setting(*[slow] * 25, seen=False) as there:
        reads = [asyncio.ensure_future(there.cluster.vm(VM)) for _ in range(25)]
        await asyncio.sleep(0.5)
        there.vms.begin_list()
        there.vms.retain_only(set())
        await asyncio.gather(*reads[:24])
        assert there.vms.digest(VM) is None
        await reads[24]
        assert there.vms.digest(VM)


async def test_vm_of_an_unserved_namespace_is_not_large() -> None:
    requests, vms = RequestStore(lambda _, **__: None), VMStore(lambda _: None, {VM})
    cluster = KubeCluster(None, requests, {"ns": vms}, {}, now=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    cluster.record_size(VM, is_large=True)
    assert (cluster.is_large(VM), cluster.is_large(ObjectKey("other", "vm"))) == (True, False)


CACHE_SAYS: dict[str, Act] = {
    "deleted since": GONE,
    "not that far yet": status(504, "Timeout", "Too large resource version"),
    "too old": status(410, "Expired"),
}


@pytest.mark.parametrize("cached", CACHE_SAYS.values(), ids=CACHE_SAYS)
@pytest.mark.parametrize("stored", [OBJECT, None])
def test_vm_is_read_from_etcd_if_the_cache_fails(cached: Act, stored: dict[str, Any] | None) -> None:
    @virtual
    async def test() -> None:
        async with setting(cached, found(stored) if stored else GONE) as there:
            assert await there.cluster.vm(VM) == stored
        assert [call.query for call in there.calls] == [{"resourceVersion": "7"}, {}]

    test()


@virtual
async def test_unknown_or_fresh_vm_is_read_from_etcd() -> None:
    async with setting(GONE, seen=False) as there:
        assert await there.cluster.vm(VM) is None
        assert there.calls[0].query == {}
    async with setting(found(OBJECT)) as there:
        assert await there.cluster.vm(VM, uncached=True) == OBJECT
        assert there.calls[0].query == {}


@virtual
async def test_state_of_the_streams_costs_no_call() -> None:
    async with setting() as there:
        assert there.cluster.vm_digest(VM)
        assert there.cluster.vm_digest(ONE) is Unknown.UNKNOWN
        assert there.cluster.template_version(OPENSHIFT, ONE) is None
    assert there.calls == []


@virtual
async def test_template_meta_reads_only_metadata() -> None:
    async with setting(found({"metadata": META | {"labels": {"a": "b"}}}), GONE) as there:
        assert await there.cluster.template_meta(OPENSHIFT, ONE) == TemplateMeta(
            "u", "7", "2030-01-01T00:00:00Z", {"a": "b"}, {}
        )
        assert await there.cluster.template_meta(OPENSHIFT, ONE) is None
    assert there.calls[0].path == "/apis/template.openshift.io/v1/namespaces/ns/templates/one"
    assert there.calls[0].headers["Accept"] == METADATA


@virtual
async def test_request_is_current_with_same_uid_and_generation() -> None:
    uid = {"uid": "u-one", "generation": 1}
    others = ({"uid": "other"}, {"generation": 2}, {"deletionTimestamp": "2030-01-01T00:00:00Z"})
    answers = [found({"metadata": META | uid | other}) for other in ({}, *others)]
    async with setting(*answers, GONE) as there:
        assert [await there.cluster.is_current(parsed_request()) for _ in range(5)] == [
            True,
            False,
            False,
            False,
            False,
        ]


MANGLED = {"no metadata": {}, "metadata that are none": {"metadata": 5}, "no version": {"metadata": {"uid": "u"}}}


@pytest.mark.parametrize("obj", MANGLED.values(), ids=MANGLED)
def test_object_without_metadata_is_unavailable(obj: dict[str, Any]) -> None:
    @virtual
    async def test() -> None:
        async with setting(*[found(obj)] * 3) as there:
            for call in (
                there.cluster.template(OPENSHIFT, ONE),
                there.cluster.create_template(OPENSHIFT, "ns", b"{}"),
                there.cluster.write_status(parsed_request(), {}),
            ):
                with pytest.raises(UnavailableError, match="an object without metadata"):
                    await call

    test()


# --- writes


@virtual
async def test_create_template_returns_only_metadata() -> None:
    async with setting(found(OBJECT, 201), status(409, "AlreadyExists", "taken")) as there:
        assert await there.cluster.create_template(OPENSHIFT, "ns", b'{"a": 1}') == Published("u", "7")
        with pytest.raises(AlreadyExistsError):
            await there.cluster.create_template(OPENSHIFT, "ns", b"{}")
    call = there.calls[0]
    assert (call.method, call.path) == ("POST", "/apis/template.openshift.io/v1/namespaces/ns/templates")
    assert (call.headers["Content-Type"], call.headers["Accept"]) == ("application/json", METADATA)
    assert call.body == b'{"a": 1}'


@virtual
async def test_status_write_names_the_version() -> None:
    async with setting(found({"metadata": META | {"resourceVersion": "8"}}), status(409, "Conflict")) as there:
        await there.cluster.write_status(parsed_request(), {"a": 1})
        with pytest.raises(ConflictError):
            await there.cluster.write_status(parsed_request(), {"a": 2})
    call = there.calls[0]
    path = "/apis/ssp.kubevirt.io/v1alpha1/namespaces/ns/virtualmachinetemplaterequests/one/status"
    assert (call.method, call.path) == ("PATCH", path)
    assert (call.headers["Content-Type"], call.headers["Accept"]) == ("application/json-patch+json", METADATA)
    assert call.json() == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "5"},
        {"op": "add", "path": "/status", "value": {"a": 1}},
    ]


@virtual
async def test_status_write_is_expected_unless_its_result_is_unknown() -> None:
    async with setting(found({"metadata": META | {"resourceVersion": "8"}}), cut_off()) as there:
        there.requests.upsert(raw(request(5)))
        await there.cluster.write_status(parsed_request(), {})
        assert there.requests.awaits_own_write(ONE)
        there.requests.upsert(raw(request(8)))
        assert not there.requests.awaits_own_write(ONE)
        with pytest.raises(UnavailableError):
            await there.cluster.write_status(parsed_request(), {})
        assert not there.requests.awaits_own_write(ONE)


@virtual
async def test_delete_names_uid_and_version() -> None:
    async with setting(status(200, "Success"), status(409, "Conflict")) as there:
        await there.cluster.delete_request(parsed_request())
        with pytest.raises(ConflictError):
            await there.cluster.delete_request(parsed_request())
    assert there.calls[0].method == "DELETE"
    assert there.calls[0].json()["preconditions"] == {"uid": "u-one", "resourceVersion": "5"}


# --- the admission policy


PLAIN = text(404, b"404 page not found\n", content_type="text/plain")
NO_POLICY = status(404, "NotFound", "not found", {"kind": "validatingadmissionpolicies"})
ROOT = "/apis/admissionregistration.k8s.io/v1"


def discovery(*names: str) -> Act:
    return found({"kind": "APIResourceList", "resources": [{"name": name} for name in names]})


WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
THERE: dict[str, tuple[list[Act], tuple[bool, bool]]] = {  # what is answered, and whether policy and binding are there
    "both": ([found(OBJECT), found(OBJECT)], (True, True)),
    "neither": ([NO_POLICY, NO_POLICY], (False, False)),
    "a server that is too old to know them": ([PLAIN, PLAIN, discovery(*WEBHOOKS)], (False, False)),
}


@pytest.mark.parametrize(("acts", "there_are"), THERE.values(), ids=THERE)
def test_policies_are_read_with_their_bindings(acts: list[Act], there_are: tuple[bool, bool]) -> None:
    @virtual
    async def test() -> None:
        async with setting(*acts) as there:
            policies = await there.cluster.policies()
            assert policies == {V1: PolicyObjects(*(OBJECT if is_there else None for is_there in there_are))}
        assert {call.path.removeprefix(ROOT) for call in there.calls[:2]} == {
            "/validatingadmissionpolicies/atmpl-request-access-v1",
            "/validatingadmissionpolicybindings/atmpl-request-access-v1",
        }

    test()


UNKNOWN: dict[str, tuple[list[Act], type[ClusterError]]] = {
    "a proxy that has lost its server": ([PLAIN, PLAIN, PLAIN], APINotFoundError),
    "a proxy that had lost it for one": ([found(OBJECT), PLAIN, discovery("validatingadmissionpolicies")], APINotFoundError),
    "a server that serves them after all": ([PLAIN, PLAIN, discovery("validatingadmissionpolicies")], APINotFoundError),
    "one that does not list what it serves": ([PLAIN, PLAIN, found({"resources": []})], APINotFoundError),
    "one that is forbidden": ([PLAIN, PLAIN, status(403, "Forbidden")], APINotFoundError),
    "a page in its place": ([PLAIN, PLAIN, text(200, b"<html>")], UnavailableError),
    "a server that is starting": ([status(503, "ServiceUnavailable")] * 2, UnavailableError),
    "one that answers half": ([found(OBJECT), cut_off()], UnavailableError),
}  # fmt: skip


@pytest.mark.parametrize(("acts", "error"), UNKNOWN.values(), ids=UNKNOWN)
def test_missing_policy_api_is_checked_by_discovery(acts: list[Act], error: type[ClusterError]) -> None:
    @virtual
    async def test() -> None:
        async with setting(*acts) as there:
            with pytest.raises(error):
                await there.cluster.policies()

    test()


@virtual
async def test_callers_share_the_next_read_of_the_policies() -> None:
    reads: list[float] = []
    release = asyncio.Event()

    async def read() -> int:
        reads.append(now())
        number = len(reads)
        await release.wait()
        return number

    shared = SharedRead(read, 0.1)
    first = asyncio.create_task(shared.get())
    await asyncio.sleep(0.5)
    later = [asyncio.create_task(shared.get()) for _ in range(3)]  # the running read began before these calls
    await asyncio.sleep(0.5)
    later[0].cancel()
    release.set()
    assert await first == 1
    assert await asyncio.gather(*later[1:]) == [2, 2]
    assert await shared.get() == 3
    assert [round(second - reads[0], 3) for second in reads] == [0.0, 1.0, 1.1]


@virtual
async def test_failed_read_of_the_policies_is_not_kept() -> None:
    answers = iter([UnavailableError("reset"), 7])

    async def read() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = SharedRead(read, 0.1)
    with pytest.raises(UnavailableError):
        await shared.get()
    assert await shared.get() == 7


# --- access reviews


ALICE = Requester("alice", "a-1", ("devs", "ops"), (("example.com/key", ("v", "w")),))


@virtual
async def test_access_review_names_the_requester_and_the_vm() -> None:
    async with setting(found({"status": {"allowed": True}}, 201)) as there:
        assert await there.cluster.may_get_vm(ALICE, VM) == AccessReview(allowed=True)
    [call] = there.calls
    assert (call.method, call.path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    assert call.json()["spec"] == {
        "user": "alice",
        "uid": "a-1",
        "groups": ["devs", "ops"],
        "extra": {"example.com/key": ["v", "w"]},
        "resourceAttributes": {
            "group": "kubevirt.io",
            "version": "v1",
            "resource": "virtualmachines",
            "verb": "get",
            "namespace": "ns",
            "name": "vm",
        },
    }


REVIEWS: dict[str, tuple[Any, AccessReview | None]] = {
    "denied": ({"allowed": False, "reason": "RBAC"}, AccessReview(allowed=False)),
    "denied with an error": ({"allowed": False, "evaluationError": "e"}, AccessReview(False, "e")),
    "allowed as text": ({"allowed": "true"}, None),
    "no answer": ({}, None),
}


@pytest.mark.parametrize("case", REVIEWS)
def test_access_review_is_parsed(case: str) -> None:
    @virtual
    async def test() -> None:
        answer, expected = REVIEWS[case]
        async with setting(found({"status": answer}, 201)) as there:
            if expected is not None:
                assert await there.cluster.may_get_vm(ALICE, VM) == expected
                return
            with pytest.raises(UnavailableError):
                await there.cluster.may_get_vm(ALICE, VM)

    test()


# --- the server's clock


def test_server_clock_follows_the_date_header() -> None:
    seconds = [100.0]
    clock = ServerClock(monotonic=lambda: seconds[0])
    clock.observe("Tue, 24 Nov 2026 05:00:00 GMT")
    seconds[0] = 100.75
    clock.observe("Tue, 24 Nov 2026 05:00:00 GMT")  # the same second: the first answer is nearer to its beginning
    assert clock.now() == datetime(2026, 11, 24, 5, 0, 0, 750_000, tzinfo=UTC)
    clock.observe("Tue, 24 Nov 2026 04:59:58 GMT")
    assert clock.now() == datetime(2026, 11, 24, 4, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("header", [None, "", "yesterday", "Tue, 24 Nov 2026 05:00:00"])
def test_server_clock_ignores_an_invalid_header(header: str | None) -> None:
    clock = ServerClock(monotonic=lambda: 0.0)
    clock.observe("Tue, 24 Nov 2026 05:00:00 GMT")
    clock.observe(header)
    assert clock.now() == datetime(2026, 11, 24, 5, 0, 0, tzinfo=UTC)


@virtual
async def test_writes_have_the_field_manager() -> None:
    async with setting(*[found(OBJECT)] * 3) as there:
        await there.cluster.create_template(OPENSHIFT, "ns", b"{}")
        await there.cluster.patch_template(OPENSHIFT, ONE, b"[]")
        await there.cluster.write_status(parsed_request(), {})
    assert [call.query for call in there.calls] == [{"fieldManager": "atmpl-controller"}] * 3
