"""Which events enqueue a request, and which do not."""

from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores.requests import RequestStore
from atmpl.template import FORMATS

ONE = ObjectKey("ns", "one")
VM = ObjectKey("ns", "vm")
OPENSHIFT = FORMATS["openshift"]
NATIVE = FORMATS["native"]


class Enqueued:
    """Records the enqueued requests."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, key: ObjectKey, /, *, backlog: bool = False) -> None:
        self.keys.append(f"{key.name} later" if backlog else key.name)

    def since(self) -> list[str]:
        keys, self.keys = self.keys, []
        return keys


def status(reason: str, *, ready: bool = False, generation: int = 1, **more: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "reason": reason}
    condition["lastTransitionTime"] = "2030-01-01T00:00:00Z"
    return {"observedGeneration": generation, "conditions": [condition], **more}


DONE = status("Rendered", ready=True)
KEPT = status("Rendered", ready=True, rendered={"digest": "d", "templateResourceVersion": "3"})


def request(
    version: object, name: str = "one", *, status: Any = None, uid: str = "u", generation: int = 1, **more: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ns", "uid": f"{uid}-{name}", "resourceVersion": str(version)}
    metadata |= {"generation": generation, "creationTimestamp": "2030-01-01T00:00:00Z"} | more.pop("metadata", {})
    spec = {"source": {"vmName": "vm"}, "target": {"openshiftTemplate": {"name": "t"}}, **more}
    return {"metadata": metadata, "spec": spec} | ({"status": status} if status else {})


def raw(obj: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps(obj))


def synced(*objects: dict[str, Any]) -> tuple[RequestStore, Enqueued]:
    """A store whose first list contained these objects."""
    enqueued = Enqueued()
    requests = RequestStore(enqueued)
    for obj in objects:
        requests.upsert(raw(obj))
    requests.retain_only({ObjectKey("ns", obj["metadata"]["name"]) for obj in objects})
    requests.mark_synced(served=True)
    return requests, enqueued


def test_first_list_is_enqueued_in_the_backlog() -> None:
    requests, enqueued = synced(request(1), request(2, "two"))
    assert enqueued.since() == ["one later", "two later"]
    requests.upsert(raw(request(3, "three")))
    assert enqueued.since() == ["three"]
    assert len(requests) == 3


def test_list_of_a_new_api_is_enqueued_in_the_backlog() -> None:
    requests, enqueued = synced(request(1))
    requests.retain_only(set())
    requests.mark_synced(served=False)
    enqueued.since()
    requests.upsert(raw(request(1)))
    assert enqueued.since() == ["one later"]


def test_status_change_does_not_end_a_backoff() -> None:
    enqueued, nudged = Enqueued(), Enqueued()
    requests = RequestStore(enqueued, add_unless_backing_off=nudged)
    requests.mark_synced(served=True)
    requests.upsert(raw(request(1)))
    assert (enqueued.since(), nudged.since()) == (["one"], [])
    requests.upsert(raw(request(2, status=status("Failed"))))
    requests.upsert(raw(request(3, status=status("Failed"), metadata={"labels": {"a": "b"}})))
    assert (enqueued.since(), nudged.since()) == ([], ["one", "one"])
    requests.upsert(raw(request(4, generation=2)))
    requests.upsert(raw(request(5, uid="new")))
    assert (enqueued.since(), nudged.since()) == (["one", "one"], [])


def test_relist_without_changes_enqueues_nothing() -> None:
    objects = [request(number, f"r{number}", status=status) for number, status in enumerate([None, DONE, KEPT] * 3)]
    requests, enqueued = synced(*objects)
    enqueued.since()
    for _ in range(100):
        for obj in objects:
            requests.upsert(raw(obj))
        requests.retain_only({ObjectKey("ns", obj["metadata"]["name"]) for obj in objects})
        requests.mark_synced(served=True)
    assert enqueued.since() == []


EVENTS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "a new request": (request(1, "two"), request(5), True),
    "a spec that changed": (request(1), request(5, generation=2), True),
    "a status of another writer": (request(1), request(5, status=status("Failed")), True),
    "an unfinished request that was touched": (request(1, status=status("Failed")), request(5, status=status("Failed")), True),
    "a request on its way out": (request(1), request(5, metadata={"deletionTimestamp": "2030-01-01T00:00:00Z"}), True),
    "a request made again under its name": (request(1, status=DONE), request(5, uid="new"), True),
    "a finished request": (request(1), request(5, status=DONE), False),
    "a finished request that was touched": (request(1, status=DONE), request(5, status=DONE), False),
    "a finished request of another generation": (request(1, status=DONE), request(5, status=DONE, generation=2), True),
    "a finished request whose time runs": (request(1), request(5, status=DONE, ttlSecondsAfterFinished=60), True),
    "a refreshed request": (request(1), request(5, status=KEPT, refreshPolicy="OnChange"), True),
    "a request for an unknown format": (request(1), request(5, target={"x": {}}), True),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "enqueues"), EVENTS.values(), ids=EVENTS)
def test_event_enqueues_its_request(before: dict[str, Any], after: dict[str, Any], enqueues: bool) -> None:
    requests, enqueued = synced(before)
    enqueued.since()
    assert requests.upsert(raw(after)) == (ONE, "5")
    assert enqueued.since() == (["one"] if enqueues else [])
    assert requests.get(ONE).resource_version == "5"


def test_own_write_is_ignored_before_its_response() -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    reconciled = requests.get(ONE)
    requests.expect_write(reconciled, status("SourceNotFound"))
    requests.upsert(raw(request(5, status=status("SourceNotFound"))))
    requests.record_write(reconciled, "5")
    assert enqueued.since() == []
    assert not requests.awaits_own_write(ONE)


def test_own_write_is_ignored_after_its_response() -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    reconciled = requests.get(ONE)
    requests.expect_write(reconciled, status("SourceNotFound"))
    requests.record_write(reconciled, "5")
    requests.upsert(raw(request(5, status=status("SourceNotFound"))))
    assert enqueued.since() == []
    assert not requests.awaits_own_write(ONE)


NEWS: dict[str, dict[str, Any]] = {
    "another status": request(5, status=status("Failed")),
    "our status on another spec": request(5, status=status("SourceNotFound"), generation=2),
    "our status on a request on its way out": request(
        5, status=status("SourceNotFound"), metadata={"deletionTimestamp": "2030-01-01T00:00:00Z"}
    ),
    "our status on a request made again": request(5, status=status("SourceNotFound"), uid="new"),
}


@pytest.mark.parametrize("news", NEWS.values(), ids=NEWS)
def test_change_during_own_write_is_enqueued(news: dict[str, Any]) -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    requests.expect_write(requests.get(ONE), status("SourceNotFound"))
    requests.upsert(raw(news))
    assert enqueued.since() == ["one"]


def test_write_of_unknown_result_is_enqueued() -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    reconciled = requests.get(ONE)
    requests.expect_write(reconciled, status("SourceNotFound"))
    requests.record_write(reconciled, None)
    assert not requests.awaits_own_write(ONE)
    requests.upsert(raw(request(5, status=status("SourceNotFound"))))
    assert enqueued.since() == ["one"]


def test_key_is_deferred_until_own_write_is_shown() -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    requests.record_write(requests.get(ONE), "9")
    assert requests.awaits_own_write(ONE)
    requests.upsert(raw(request(8, status=status("Failed"))))  # from before our write
    assert requests.awaits_own_write(ONE)
    enqueued.since()
    requests.upsert(raw(request(9, status=status("SourceNotFound"))))
    assert enqueued.since() == ["one"]
    assert not requests.awaits_own_write(ONE)


def test_own_write_alone_does_not_enqueue() -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    requests.record_write(requests.get(ONE), "9")
    requests.upsert(raw(request(9, status=status("SourceNotFound"))))
    assert enqueued.since() == []


def test_newer_version_fulfils_the_expectation() -> None:
    requests, enqueued = synced(request(1))
    requests.record_write(requests.get(ONE), "9")
    assert requests.awaits_own_write(ONE)
    enqueued.since()
    requests.upsert(raw(request(10, status=status("Failed"))))
    assert enqueued.since() == ["one"]
    assert not requests.awaits_own_write(ONE)


def test_expectation_compares_versions_as_numbers() -> None:
    requests, _ = synced(request(9))
    requests.record_write(requests.get(ONE), "10")
    assert requests.awaits_own_write(ONE)
    requests.upsert(raw(request(100)))
    assert not requests.awaits_own_write(ONE)


def test_invalid_versions_create_no_expectation() -> None:
    requests, _ = synced(request("abc"))
    requests.record_write(requests.get(ONE), "def")
    assert not requests.awaits_own_write(ONE)


def test_complete_list_ends_all_expectations() -> None:
    requests, enqueued = synced(request(1), request(2, "two"))
    for key in (ONE, ObjectKey("ns", "two")):
        requests.record_write(requests.get(key), "9")
    assert requests.awaits_own_write(ONE)
    enqueued.since()
    requests.retain_only({ONE, ObjectKey("ns", "two")})  # etcd was restored: its versions are lower
    assert enqueued.since() == ["one"]
    assert not requests.awaits_own_write(ONE)
    assert not requests.awaits_own_write(ObjectKey("ns", "two"))


def test_deleted_request_has_no_expectation() -> None:
    requests, _ = synced(request(1))
    reconciled = requests.get(ONE)
    requests.delete(raw(request(2)))
    requests.record_write(reconciled, "9")
    assert not requests.awaits_own_write(ONE)
    requests.upsert(raw(request(3, uid="new")))
    requests.record_write(reconciled, "9")
    assert not requests.awaits_own_write(ONE)


def test_deletion_is_reported_once_and_enqueues_nothing() -> None:
    gone: list[ObjectKey] = []
    enqueued = Enqueued()
    requests = RequestStore(enqueued, gone.append)
    for obj in (request(1), request(2, "two")):
        requests.upsert(raw(obj))
    requests.mark_synced(served=True)
    requests.record_write(requests.get(ONE), "9")
    requests.awaits_own_write(ONE)
    enqueued.since()
    assert requests.delete(raw(request(3))) == (ONE, "3")
    assert requests.get(ONE) is None
    assert not requests.awaits_own_write(ONE)
    requests.delete(raw(request(3)))
    requests.retain_only({ONE})
    assert gone == [ONE, ObjectKey("ns", "two")]
    assert enqueued.since() == []
    assert len(requests) == 0


def test_request_is_indexed_by_vm_until_finished() -> None:
    requests, _ = synced(
        request(1), request(2, "two", status=DONE), request(3, "kept", status=KEPT, refreshPolicy="OnChange")
    )
    assert set(requests.by_source(VM)) == {ONE, ObjectKey("ns", "kept")}
    assert set(requests.by_source(ObjectKey("other", "vm"))) == set()
    requests.upsert(raw(request(4, status=DONE)))
    assert set(requests.by_source(VM)) == {ObjectKey("ns", "kept")}


def test_on_change_request_is_indexed_by_template() -> None:
    requests, _ = synced(request(1), request(2, "kept", status=KEPT, refreshPolicy="OnChange"))
    template = ObjectKey("ns", "t")
    assert set(requests.by_template(OPENSHIFT, template)) == {ObjectKey("ns", "kept")}
    assert set(requests.by_template(NATIVE, template)) == set()
    requests.upsert(raw(request(3, "kept", status=KEPT)))  # OnChange became Once; not detached yet
    assert set(requests.by_template(OPENSHIFT, template)) == set()


def test_unfinished_requests_are_found_by_format() -> None:
    requests, _ = synced(
        request(1, "fresh"),
        request(2, "waiting", status=status("FormatUnavailable")),
        request(3, "kept", status=KEPT, refreshPolicy="OnChange"),
        request(4, "done", status=DONE),
        request(5, "native", target={"virtualMachineTemplate": {}}),
        request(6, "odd", target={"x": {}}),
    )
    assert [key.name for key in requests.by_format(OPENSHIFT)] == ["fresh", "waiting", "kept"]
    assert [key.name for key in requests.by_format(NATIVE)] == ["native"]


def test_deleted_requests_leave_nothing_behind() -> None:
    objects = [
        request(number, f"r{number}", source={"vmName": f"vm{number % 7}"}, refreshPolicy="OnChange")
        for number in range(100)
    ]
    requests, _ = synced(*objects)
    for number, obj in enumerate(objects[:50]):
        moved = obj | {"spec": obj["spec"] | {"source": {"vmName": f"other{number}"}}}
        moved["metadata"] = obj["metadata"] | {"resourceVersion": "1000", "generation": 2}
        requests.upsert(raw(moved))
        requests.record_write(requests.get(ObjectKey("ns", f"r{number}")), "2000")
        requests.awaits_own_write(ObjectKey("ns", f"r{number}"))
    requests.retain_only(set())
    assert len(requests) == 0
    for index in (
        requests._by_source,
        requests._by_template,
        requests._expected_versions,
        requests._deferred,
        requests._writing,
    ):
        assert not index


@pytest.mark.parametrize(
    "data", [b"1", b"[]", b"{}", b'{"metadata": null}', b'{"metadata": {"name": 1}}', b'{"metadata": {"name": "a"}}']
)
def test_invalid_request_changes_nothing(data: bytes) -> None:
    requests, enqueued = synced(request(1))
    enqueued.since()
    for take in (requests.upsert, requests.delete):
        with pytest.raises(msgspec.DecodeError):
            take(msgspec.Raw(data))
    assert len(requests) == 1
    assert enqueued.since() == []
