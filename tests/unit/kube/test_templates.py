"""Which changes of a template that is kept in step are told."""

import msgspec
import orjson
import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores.templates import TemplateStore

T = ObjectKey("ns", "t")


class RequestStatus:
    def __init__(self) -> None:
        self.changed: list[ObjectKey] = []
        self.appeared = 0

    def appear(self) -> None:
        self.appeared += 1


def raw(version: int, name: str = "t") -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps({"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version)}}))


@pytest.fixture
def told() -> RequestStatus:
    return RequestStatus()


@pytest.fixture
def templates(told: RequestStatus) -> TemplateStore:
    return TemplateStore(told.changed.append, told.appear)


def test_template_change_is_reported_per_version(templates: TemplateStore, told: RequestStatus) -> None:
    assert templates.upsert(raw(1)) == (T, "1")
    templates.upsert(raw(1))
    templates.upsert(raw(2))
    assert told.changed == [T, T]
    assert templates.version(T) == "2"
    assert templates.version(ObjectKey("ns", "other")) is None


def test_template_deletion_is_reported_once(templates: TemplateStore, told: RequestStatus) -> None:
    templates.upsert(raw(1))
    templates.upsert(raw(1, "u"))
    told.changed.clear()
    assert templates.delete(raw(5)) == (T, "5")
    templates.delete(raw(5))
    templates.retain_only(set())
    assert told.changed == [T, ObjectKey("ns", "u")]
    assert len(templates) == 0


def test_template_store_reports_first_sync_and_appearance(templates: TemplateStore, told: RequestStatus) -> None:
    for yes in (False, True, True, False, False, True):
        templates.mark_synced(served=yes)
    assert told.appeared == 3
    assert templates.is_served is True


def test_absent_api_counts_as_synced(templates: TemplateStore) -> None:
    assert (templates.is_served, templates.synced.is_set()) == (None, False)
    templates.mark_synced(served=False)
    assert (templates.is_served, templates.synced.is_set()) == (False, True)


@pytest.mark.parametrize("data", [b"null", b"{}", b'{"metadata": {"name": "t", "namespace": "ns"}}'])
def test_invalid_template_is_rejected(data: bytes, templates: TemplateStore, told: RequestStatus) -> None:
    for take in (templates.upsert, templates.delete):
        with pytest.raises(msgspec.DecodeError):
            take(msgspec.Raw(data))
    assert told.changed == []
