"""A request that is nested deeper than the decoders allow: it stops no stream, and gets a status like any other."""

import orjson
import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.watch_events import NeedsList, WatchDecoder, read_page
from tests.support.builders import NAMESPACE, a_request

# Each level near the decoders' limit: one of them gives up where another, a few frames less deep, has not.
LEVELS = (500, *range(950, 1010), 9_000)


def deep(levels: int, field: str) -> bytes:
    obj = a_request(metadata={"uid": "1", "resourceVersion": "7", "creationTimestamp": "2024-01-02T03:04:05Z"})
    if field == "spec.target":  # which is stored whole: the CRD's own rule reports the problem there
        obj["spec"]["target"]["deep"] = "DEEP"
    else:
        obj["metadata"]["managedFields"] = "DEEP"
    return orjson.dumps(obj).replace(b'"DEEP"', b"[" * levels + b"]" * levels)


FIELDS = {"spec.target": False, "metadata.managedFields": True}  # where it is deep: whether it can be served


@pytest.mark.parametrize("field", FIELDS)
async def test_deep_request_in_a_stream_is_read(field: str) -> None:
    for levels in LEVELS:
        store = RequestStore(lambda key, *, backlog=False: None)
        reading = WatchDecoder(store, NeedsList(), lambda: None)
        next_one = orjson.dumps(a_request("next", metadata={"uid": "2", "resourceVersion": "8"}))
        await reading.take([b'{"type":"ADDED","object":%s}' % obj for obj in (deep(levels, field), next_one)])
        taken(store, served=FIELDS[field])


@pytest.mark.parametrize("field", FIELDS)
def test_deep_request_in_a_list_is_read(field: str) -> None:
    for levels in LEVELS:
        store, seen = RequestStore(lambda key, *, backlog=False: None), set[ObjectKey]()
        next_one = orjson.dumps(a_request("next", metadata={"uid": "2", "resourceVersion": "8"}))
        page = b'{"metadata":{"resourceVersion":"9"},"items":[%s,%s]}' % (deep(levels, field), next_one)
        assert read_page(page, store, seen) == ("9", "")
        assert len(seen) == 2
        taken(store, served=FIELDS[field])


def taken(store: RequestStore, *, served: bool) -> None:
    found, other = store.get(ObjectKey(NAMESPACE, "request")), store.get(ObjectKey(NAMESPACE, "next"))
    assert found is not None
    assert other is not None
    assert (found.spec is not None) == served
