"""Which changes of refreshed templates are reported."""

import msgspec
import orjson
import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores.templates import TemplateStore

T = ObjectKey("ns", "t")


class Reported:
    def __init__(self) -> None:
        self.changed: list[ObjectKey] = []
        self.synced = 0

    def on_synced(self) -> None:
        self.synced += 1


def raw(version: int, name: str = "t") -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps({"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version)}}))


@pytest.fixture
def reported() -> Reported:
    return Reported()


@pytest.fixture
def templates(reported: Reported) -> TemplateStore:
    return TemplateStore(reported.changed.append, reported.on_synced)


def test_template_change_is_reported_per_version(templates: TemplateStore, reported: Reported) -> None:
    assert templates.upsert(raw(1)) == (T, "1")
    templates.upsert(raw(1))
    templates.upsert(raw(2))
    assert reported.changed == [T, T]
    assert templates.version(T) == "2"
    assert templates.version(ObjectKey("ns", "other")) is None


def test_template_deletion_is_reported_once(templates: TemplateStore, reported: Reported) -> None:
    templates.upsert(raw(1))
    templates.upsert(raw(1, "u"))
    reported.changed.clear()
    assert templates.delete(raw(5)) == (T, "5")
    templates.delete(raw(5))
    templates.retain_only(set())
    assert reported.changed == [T, ObjectKey("ns", "u")]
    assert len(templates) == 0


def test_template_store_reports_first_sync_and_appearance(templates: TemplateStore, reported: Reported) -> None:
    for yes in (False, True, True, False, False, True):
        templates.mark_synced(served=yes)
    assert reported.synced == 3
    assert templates.is_served is True


def test_absent_api_counts_as_synced(templates: TemplateStore) -> None:
    assert (templates.is_served, templates.synced.is_set()) == (None, False)
    templates.mark_synced(served=False)
    assert (templates.is_served, templates.synced.is_set()) == (False, True)


@pytest.mark.parametrize("data", [b"null", b"{}", b'{"metadata": {"name": "t", "namespace": "ns"}}'])
def test_invalid_template_is_rejected(data: bytes, templates: TemplateStore, reported: Reported) -> None:
    for take in (templates.upsert, templates.delete):
        with pytest.raises(msgspec.DecodeError):
            take(msgspec.Raw(data))
    assert reported.changed == []
