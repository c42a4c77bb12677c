"""Which changes of VMs are reported, and what the store knows of each."""

from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller import vm_digest as vms
from atmpl.controller.cluster import UNKNOWN
from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores.vms import VMStore

VM = ObjectKey("ns", "vm")


def raw(version: int, name: str = "vm", **more: Any) -> msgspec.Raw:
    metadata = {"name": name, "namespace": "ns", "uid": "u", "resourceVersion": str(version), "generation": 1}
    return msgspec.Raw(orjson.dumps({"kind": "PartialObjectMetadata", "metadata": metadata | more}))


@pytest.fixture
def changed() -> list[ObjectKey]:
    return []


@pytest.fixture
def known(changed: list[ObjectKey]) -> VMStore:
    found = VMStore(changed.append, {VM, ObjectKey("ns", "other")})
    found.upsert(raw(1, labels={"app": "db"}, annotations={"note": "1"}))
    assert changed == [VM]
    changed.clear()
    return found


SAME = {"labels": {"app": "db"}, "annotations": {"note": "1"}}
CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    "its status": (SAME, False),
    "nothing but managedFields": (SAME | {"managedFields": [{"manager": "virt-controller"}]}, False),
    "an annotation that a template does not keep": (
        SAME | {"annotations": {"note": "1", "kubevirt.io/latest-observed-api-version": "v1"}},
        False,
    ),
    "a label that a template does not keep": (SAME | {"labels": {"app": "db", "vm.kubevirt.io/template": "x"}}, False),
    "its spec": (SAME | {"generation": 2}, True),
    "a label": (SAME | {"labels": {"app": "web"}}, True),
    "a label that is gone": (SAME | {"labels": None}, True),
    "an annotation": (SAME | {"annotations": {"note": "2"}}, True),
    "itself: it was made again": (SAME | {"uid": "new"}, True),
}


@pytest.mark.parametrize(("change", "reported"), CHANGES.values(), ids=CHANGES)
def test_vm_change_is_reported_if_its_template_would_change(
    change: dict[str, Any], reported: bool, known: VMStore, changed: list[ObjectKey]
) -> None:
    assert known.upsert(raw(7, **change)) == (VM, "7")
    assert changed == ([VM] if reported else [])
    seen = known.get(VM)
    assert seen is not None
    assert seen.version == "7"


def test_digest_of_metadata_equals_that_of_the_vm(known: VMStore) -> None:
    whole = {"metadata": {"uid": "u", "generation": 1, "resourceVersion": "1", **SAME}, "spec": {}}
    seen = known.get(VM)
    assert seen is not None
    assert seen.digest == vms.digest_of(whole)


def test_vm_deletion_is_reported_once(known: VMStore, changed: list[ObjectKey]) -> None:
    assert known.delete(raw(8)) == (VM, "8")
    known.delete(raw(8))
    assert changed == [VM]
    assert known.get(VM) is None
    assert len(known) == 0


def test_list_reports_missing_vms_as_deleted(known: VMStore, changed: list[ObjectKey]) -> None:
    known.upsert(raw(2, "other"))
    changed.clear()
    known.retain_only({ObjectKey("ns", "other")})
    assert changed == [VM]
    assert len(known) == 1


def test_relist_without_changes_reports_nothing(known: VMStore, changed: list[ObjectKey]) -> None:
    for version in range(1, 100):
        known.upsert(raw(version, **SAME))
        known.retain_only({VM})
        known.mark_synced(served=True)
    assert changed == []


@pytest.mark.parametrize("data", [b"1", b"{}", b'{"metadata": {}}', b'{"metadata": {"name": "vm", "namespace": 1}}'])
def test_invalid_vm_is_rejected(data: bytes, known: VMStore, changed: list[ObjectKey]) -> None:
    for take in (known.upsert, known.delete):
        with pytest.raises(msgspec.DecodeError):
            take(msgspec.Raw(data))
    assert (changed, len(known)) == ([], 1)


OTHER = ObjectKey("ns", "other")


@pytest.fixture
def sources() -> set[ObjectKey]:
    """The VMs that requests refer to."""
    return {VM}


@pytest.fixture
def store(changed: list[ObjectKey], sources: set[ObjectKey]) -> VMStore:
    return VMStore(changed.append, sources)


def test_vm_store_keeps_only_referenced_vms(store: VMStore, changed: list[ObjectKey]) -> None:
    assert store.upsert(raw(1, "other")) == (None, "1")
    assert (store.digest(OTHER), changed) == (UNKNOWN, [])


def test_vm_is_unknown_until_a_list_that_began_later(store: VMStore, sources: set[ObjectKey]) -> None:
    store.begin_list()
    sources.add(OTHER)  # a request for it is indexed while the list is read
    assert store.digest(VM) is UNKNOWN
    store.retain_only(set())
    assert (store.digest(VM), store.digest(OTHER)) == (None, UNKNOWN)
    store.begin_list()
    store.retain_only(set())
    assert store.digest(OTHER) is None


def test_read_makes_an_unknown_vm_present(store: VMStore, changed: list[ObjectKey]) -> None:
    store.record_read(VM, "7", "digest", store.lists)
    assert store.digest(VM) == "digest"
    store.record_read(OTHER, "7", "digest", store.lists)
    assert store.digest(OTHER) is UNKNOWN
    assert changed == [VM]


def test_vm_is_large_by_its_last_template(store: VMStore, sources: set[ObjectKey]) -> None:
    store.upsert(raw(7))
    assert not store.is_large(VM)
    store.record_size(VM, is_large=True)
    store.upsert(raw(8))
    assert store.is_large(VM)
    store.record_size(VM, is_large=False)
    assert not store.is_large(VM)
    store.record_size(OTHER, is_large=True)
    assert not store.is_large(OTHER), "no request refers to it"


@pytest.mark.parametrize("how", ["deleted", "not in a list", "not referenced"])
def test_vm_that_is_gone_is_not_large(how: str, store: VMStore) -> None:
    store.upsert(raw(7))
    store.record_size(VM, is_large=True)
    match how:
        case "deleted":
            store.delete(raw(8))
        case "not in a list":
            store.begin_list()
            store.retain_only(set())
        case _:
            store.forget(VM)
    assert not store.is_large(VM)


def test_events_older_than_a_read_are_ignored(store: VMStore, changed: list[ObjectKey]) -> None:
    store.record_read(VM, "7", "digest", store.lists)
    changed.clear()
    store.upsert(raw(6))
    store.delete(raw(6))
    assert (store.digest(VM), changed) == ("digest", [])
    store.upsert(raw(8))
    assert changed == [VM]


def test_read_older_than_a_deletion_is_ignored(store: VMStore) -> None:
    store.delete(raw(8))
    store.record_read(VM, "7", "digest", store.lists)
    assert store.digest(VM) is None
    store.record_read(VM, "9", "digest", store.lists)
    assert store.digest(VM) == "digest"


def test_read_does_not_overrule_a_list_that_ended_later(store: VMStore) -> None:
    before = store.lists
    store.begin_list()
    store.retain_only(set())
    store.record_read(VM, "7", "digest", before)
    assert store.digest(VM) is None
    store.record_read(VM, "7", "digest", store.lists)
    assert store.digest(VM) == "digest"


def test_list_of_a_restored_etcd_overrules_a_read(store: VMStore, changed: list[ObjectKey]) -> None:
    store.record_read(VM, "900", "digest", store.lists)
    changed.clear()
    store.begin_list()
    store.upsert(raw(3))
    store.retain_only({VM})
    assert store.get(VM).version == "3"
    assert changed == [VM]


def test_list_removes_a_vm_read_during_the_list(store: VMStore, changed: list[ObjectKey]) -> None:
    store.begin_list()
    store.record_read(VM, "7", "digest", store.lists)  # deleted before the list's snapshot
    changed.clear()
    store.retain_only(set())
    assert (store.digest(VM), changed) == (None, [VM])


def test_unreferenced_vm_is_forgotten(store: VMStore, sources: set[ObjectKey]) -> None:
    store.upsert(raw(1))
    sources.clear()
    store.forget(VM)
    assert (store.digest(VM), len(store)) == (UNKNOWN, 0)


@pytest.mark.parametrize("before", ["unknown", "absent", "older", "same"])
def test_change_that_a_read_shows_first_is_reported(before: str, store: VMStore, changed: list[ObjectKey]) -> None:
    match before:
        case "absent":
            store.delete(raw(6))
        case "older":
            store.record_read(VM, "6", "old", store.lists)
        case "same":
            store.record_read(VM, "6", "digest", store.lists)
    changed.clear()
    store.record_read(VM, "7", "digest", store.lists)
    assert changed == ([] if before == "same" else [VM])
