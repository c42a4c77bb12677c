"""What the controller writes: each sentence holds for a real API server, and for the one in memory
that the other tests of this folder are tried on.
"""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from atmpl.controller.cluster import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NamespaceTerminatingError,
    TooLargeError,
)
from atmpl.template import FORMATS
from tests.support.api_under_test import ClusterClient, seen, version
from tests.support.builders import a_request, a_template
from tests.support.resources import REQUESTS, TEMPLATES, Object

FORMAT = FORMATS["openshift"]
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Rendered",
    "message": "made",
    "lastTransitionTime": "2024-01-02T03:04:05Z",
}


def body(api: ClusterClient, **more: Any) -> bytes:
    return orjson.dumps(a_template(namespace=api.namespace) | more)


# New templates


async def test_new_template_is_stored_as_posted(api: ClusterClient) -> None:
    objects = [{"kind": "Any", "whole": 2.0, "null": None, "large": 1e21, "yes": True, "deep": [[{}]]}]
    published = await api.cluster.create_template(FORMAT, api.namespace, body(api, objects=objects))
    there = await api.get(TEMPLATES, api.template)
    assert there is not None
    assert there["objects"] == objects
    assert (there["metadata"]["uid"], version(there)) == (published.uid, published.resource_version)


async def test_a_name_is_taken_once(api: ClusterClient) -> None:
    made = await api.create(a_template(namespace=api.namespace))
    with pytest.raises(AlreadyExistsError):
        await api.cluster.create_template(FORMAT, api.namespace, body(api, objects=[{"kind": "Other"}]))
    assert await api.get(TEMPLATES, api.template) == made


@pytest.mark.parametrize("namespace", ["dying", "nowhere"])
async def test_create_in_a_terminating_namespace_fails(api: ClusterClient, namespace: str) -> None:
    with pytest.raises(NamespaceTerminatingError):
        await api.cluster.create_template(FORMAT, namespace, orjson.dumps(a_template(namespace=namespace)))


@pytest.mark.filterwarnings("ignore:Sending a large body")
@pytest.mark.parametrize("size", [1_600_000, 3_200_000], ids=["for etcd", "for the API server"])
async def test_a_template_may_be_too_large(api: ClusterClient, size: int) -> None:
    with pytest.raises(TooLargeError):
        await api.cluster.create_template(FORMAT, api.namespace, body(api, objects=[{"kind": "x" * size}]))
    assert await api.cluster.template(FORMAT, api.template) is None


# Patches of templates


def guard(uid: str, version: str) -> list[Object]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
    ]


LABEL = {"op": "add", "path": "/metadata/labels", "value": {"a~b/c": "d"}}


async def test_template_patch_returns_the_new_version(api: ClusterClient) -> None:
    made = await api.create(a_template(namespace=api.namespace))
    patch = [*guard(made["metadata"]["uid"], version(made)), {**LABEL, "value": {"a": "b"}}]
    published = await api.cluster.patch_template(FORMAT, api.template, orjson.dumps(patch))
    there = await api.get(TEMPLATES, api.template)
    assert there is not None
    assert there["metadata"]["labels"] == {"a": "b"}
    assert (there["metadata"]["uid"], version(there)) == (published.uid, published.resource_version)
    assert version(there) != version(made)


@pytest.mark.parametrize(
    ("uid", "at"), [("another", None), (None, "0")], ids=["another of the same name", "an older version"]
)
async def test_patch_of_a_changed_template_is_a_conflict(api: ClusterClient, uid: str | None, at: str | None) -> None:
    made = await api.create(a_template(namespace=api.namespace))
    patch = [*guard(uid or made["metadata"]["uid"], at or version(made)), {**LABEL, "value": {"a": "b"}}]
    with pytest.raises(ConflictError):
        await api.cluster.patch_template(FORMAT, api.template, orjson.dumps(patch))
    assert await api.get(TEMPLATES, api.template) == made


async def test_patch_of_a_deleted_template_is_a_conflict(api: ClusterClient) -> None:
    with pytest.raises(ConflictError):
        await api.cluster.patch_template(FORMAT, api.template, orjson.dumps(guard("1", "1")))


async def test_patch_of_a_missing_path_is_a_conflict(api: ClusterClient) -> None:
    await api.create(a_template(namespace=api.namespace, labels={"a": "b"}))
    patch = [{"op": "remove", "path": "/metadata/labels/c"}]
    with pytest.raises(ConflictError):
        await api.cluster.patch_template(FORMAT, api.template, orjson.dumps(patch))


async def test_patch_without_change_keeps_the_version(api: ClusterClient) -> None:
    made = await api.create(a_template(namespace=api.namespace, labels={"a": "b"}))
    same = [{"op": "add", "path": "/metadata/labels/a", "value": "b"}]
    published = await api.cluster.patch_template(FORMAT, api.template, orjson.dumps(same))
    assert published.resource_version == version(made)


async def test_patch_escapes_slashes_and_tildes(api: ClusterClient) -> None:
    await api.create(a_template(namespace=api.namespace, annotations={"a.b/c": "d"}))
    patch = [{"op": "replace", "path": "/metadata/annotations/a.b~1c", "value": "e"}]
    await api.cluster.patch_template(FORMAT, api.template, orjson.dumps(patch))
    there = await api.get(TEMPLATES, api.template)
    assert there is not None
    assert there["metadata"]["annotations"] == {"a.b/c": "e"}


# Status


async def test_a_status_is_written_and_counts_no_generation(api: ClusterClient) -> None:
    request = await api.a_request()
    status = {"observedGeneration": 1, "conditions": [READY]}
    await api.cluster.write_status(request, status)
    there = await api.get(REQUESTS, api.request)
    assert there is not None
    assert there["status"] == status
    assert there["metadata"]["generation"] == 1
    assert version(there) != request.resource_version


async def test_equal_status_keeps_the_version(api: ClusterClient) -> None:
    request = await api.a_request()
    await api.cluster.write_status(request, {"conditions": [READY]})
    there = await api.get(REQUESTS, api.request)
    assert there is not None
    await api.cluster.write_status(seen(there), {"conditions": [READY]})
    assert await api.get(REQUESTS, api.request) == there


async def test_a_status_is_replaced_whole(api: ClusterClient) -> None:
    request = await api.a_request()
    await api.cluster.write_status(request, {"conditions": [READY], "parameters": 3})
    there = await api.get(REQUESTS, api.request)
    assert there is not None
    await api.cluster.write_status(seen(there), {"conditions": [READY]})
    now = await api.get(REQUESTS, api.request)
    assert now is not None
    assert now["status"] == {"conditions": [READY]}


async def test_status_of_a_changed_request_is_not_written(api: ClusterClient) -> None:
    request = await api.a_request()
    edited = await api.edit(REQUESTS, api.request, {"spec": {"ttlSecondsAfterFinished": 5}})
    with pytest.raises(ConflictError):
        await api.cluster.write_status(request, {"conditions": [READY]})
    assert await api.get(REQUESTS, api.request) == edited


async def test_status_of_a_recreated_request_is_not_written(api: ClusterClient) -> None:
    request = await api.a_request()
    await api.delete(REQUESTS, api.request)
    with pytest.raises(ConflictError):
        await api.cluster.write_status(request, {"conditions": [READY]})
    await api.a_request()
    with pytest.raises(ConflictError):
        await api.cluster.write_status(request, {"conditions": [READY]})
    there = await api.get(REQUESTS, api.request)
    assert there is not None
    assert there["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "Ready"}]},
        {"conditions": [READY | {"message": "x" * 32_769}]},
        {"conditions": [READY], "warnings": [{"reason": "R", "message": "m"}] * 101},
    ],
    ids=["half a condition", "a long message", "many warnings"],
)
async def test_status_that_breaks_the_schema_is_invalid(api: ClusterClient, status: Object) -> None:
    request = await api.a_request()
    with pytest.raises(InvalidError):
        await api.cluster.write_status(request, status)


async def test_message_of_1024_characters_is_stored(api: ClusterClient) -> None:
    request = await api.a_request()
    await api.cluster.write_status(request, {"conditions": [READY | {"message": "ж…" * 512}]})


# Requests


async def test_request_is_current_until_deleted(api: ClusterClient) -> None:
    request = await api.a_request()
    assert await api.cluster.is_current(request)
    await api.delete(REQUESTS, api.request)
    assert not await api.cluster.is_current(request)
    again = await api.a_request()
    assert not await api.cluster.is_current(request)
    assert await api.cluster.is_current(again)


async def test_deleted_request_is_not_current(api: ClusterClient) -> None:
    request = await api.a_request(finalizers=["atmpl.example/wait"])
    await api.delete(REQUESTS, api.request)
    there = await api.get(REQUESTS, api.request)
    assert there is not None
    assert seen(there).is_deleting
    assert not await api.cluster.is_current(request)
    await api.edit(REQUESTS, api.request, {"metadata": {"finalizers": None}})
    assert await api.get(REQUESTS, api.request) is None


async def test_changed_request_is_not_current(api: ClusterClient) -> None:
    request = await api.a_request()
    await api.edit(REQUESTS, api.request, {"metadata": {"labels": {"a": "b"}}})
    assert await api.cluster.is_current(request)
    await api.edit(REQUESTS, api.request, {"spec": {"ttlSecondsAfterFinished": 60}})
    assert not await api.cluster.is_current(request)


async def test_unchanged_request_is_deleted(api: ClusterClient) -> None:
    request = await api.a_request()
    await api.cluster.delete_request(request)
    assert await api.get(REQUESTS, api.request) is None
    with pytest.raises(ConflictError):
        await api.cluster.delete_request(request)


async def test_changed_request_is_not_deleted(api: ClusterClient) -> None:
    request = await api.a_request()
    edited = await api.edit(REQUESTS, api.request, {"spec": {"ttlSecondsAfterFinished": 5}})
    with pytest.raises(ConflictError):
        await api.cluster.delete_request(request)
    assert await api.get(REQUESTS, api.request) == edited
    await api.delete(REQUESTS, api.request)
    again = await api.create(a_request(namespace=api.namespace))
    with pytest.raises(ConflictError):
        await api.cluster.delete_request(replace(request, resource_version=version(again)))
    assert await api.get(REQUESTS, api.request) == again


async def test_a_request_has_its_defaults(api: ClusterClient) -> None:
    made = await api.create(a_request(namespace=api.namespace))
    assert made["spec"]["refreshPolicy"] == "Once"
