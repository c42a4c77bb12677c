"""What the controller reads and watches: each sentence holds for a real API server, and for the one in memory
that the other tests of this folder are tried on.
"""

from dataclasses import replace
from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller.cluster import (
    APINotFoundError,
)
from atmpl.controller.objects import ObjectKey
from atmpl.controller.request import Requester
from atmpl.template import FORMATS
from tests.support.api_under_test import ClusterClient, InMemory, RequestStatus, version
from tests.support.builders import a_template, a_vm, with_memory
from tests.support.fake_apiserver import JSON_PATCH
from tests.support.resources import REQUESTS, SERVED, TEMPLATES, VMS, Object, Place

FORMAT = FORMATS["openshift"]


def body(api: ClusterClient, **more: Any) -> bytes:
    return orjson.dumps(a_template(namespace=api.namespace) | more)


# Reads


async def test_vm_is_read_as_stored(api: ClusterClient) -> None:
    made = await api.create(a_vm(namespace=api.namespace))
    assert await api.cluster.vm(api.vm) == made


async def test_missing_vm_is_none_with_any_store(api: ClusterClient) -> None:
    assert await api.cluster.vm(api.vm) is None
    made = await api.create(a_vm(namespace=api.namespace))
    api.vms.upsert(msgspec.Raw(orjson.dumps(made)))
    await api.delete(VMS, api.vm)
    assert await api.cluster.vm(api.vm, uncached=True) is None
    await api.watch_cache_is_current()
    assert await api.cluster.vm(api.vm) is None


async def test_vm_is_not_older_than_the_stream_showed(api: ClusterClient) -> None:
    first = await api.create(a_vm(namespace=api.namespace))
    api.vms.upsert(msgspec.Raw(orjson.dumps(first)))
    second = await api.edit(VMS, api.vm, with_memory("1Gi"))
    assert await api.cluster.vm(api.vm) in (first, second)
    api.vms.upsert(msgspec.Raw(orjson.dumps(second)))
    assert await api.cluster.vm(api.vm) == second


async def test_vm_is_read_fresh_if_the_stream_is_ahead(api: ClusterClient) -> None:
    made = await api.create(a_vm(namespace=api.namespace))
    ahead = made | {"metadata": made["metadata"] | {"resourceVersion": "999999999"}}
    api.vms.upsert(msgspec.Raw(orjson.dumps(ahead)))
    assert await api.cluster.vm(api.vm) == made
    assert await api.cluster.vm(api.vm, uncached=True) == made


async def test_template_or_its_metadata_are_read(api: ClusterClient) -> None:
    made = await api.create(a_template(namespace=api.namespace, labels={"a": "b"}, annotations={"c": "d"}))
    assert await api.cluster.template(FORMAT, api.template) == made
    meta = await api.cluster.template_meta(FORMAT, api.template)
    assert meta is not None
    assert (meta.uid, meta.resource_version) == (made["metadata"]["uid"], version(made))
    assert (meta.created, meta.labels) == (made["metadata"]["creationTimestamp"], {"a": "b"})
    assert meta.annotations == {"c": "d"}


async def test_a_template_that_is_not_there_is_none(api: ClusterClient) -> None:
    assert await api.cluster.template(FORMAT, api.template) is None
    assert await api.cluster.template_meta(FORMAT, api.template) is None


async def test_unserved_format_raises_api_not_found(api: ClusterClient) -> None:
    unserved = replace(FORMAT, api_version="template.example/v1")
    for call in (
        api.cluster.template(unserved, api.template),
        api.cluster.template_meta(unserved, api.template),
        api.cluster.create_template(unserved, api.namespace, body(api)),
        api.cluster.patch_template(unserved, api.template, b"[]"),
    ):
        with pytest.raises(APINotFoundError):
            await call


# Versions and generations


async def test_a_generation_counts_changes_of_the_spec_alone(api: ClusterClient) -> None:
    made = await api.create(a_vm(namespace=api.namespace))
    assert made["metadata"]["generation"] == 1
    labelled = await api.edit(VMS, api.vm, {"metadata": {"labels": {"a": "b"}}})
    assert (labelled["metadata"]["generation"], version(labelled) != version(made)) == (1, True)
    ran = await api.edit(VMS, api.vm, {"status": {"printableStatus": "Running"}}, sub="/status")
    assert (ran["metadata"]["generation"], version(ran) != version(labelled)) == (1, True)
    grown = await api.edit(VMS, api.vm, with_memory("1Gi"))
    assert grown["metadata"]["generation"] == 2
    assert grown["status"] == {"printableStatus": "Running"}


async def test_status_and_object_are_written_separately(api: ClusterClient) -> None:
    made = await api.create(a_vm(namespace=api.namespace) | {"status": {"printableStatus": "Lies"}})
    assert "status" not in made
    same = await api.edit(VMS, api.vm, {"status": {"printableStatus": "Lies"}})
    assert version(same) == version(made)
    other = await api.edit(
        VMS, api.vm, {"status": {"printableStatus": "Up"}, "spec": {"runStrategy": "Always"}}, "/status"
    )
    assert (other["spec"], other["status"]) == (made["spec"], {"printableStatus": "Up"})


async def test_versions_grow_and_uids_are_unique(api: ClusterClient) -> None:
    first = await api.create(a_vm(namespace=api.namespace))
    await api.delete(VMS, api.vm)
    second = await api.create(a_vm(namespace=api.namespace))
    assert int(version(first)) < int(version(second))
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


async def test_patch_requires_the_resource_version(api: ClusterClient) -> None:
    made = await api.create(a_vm(namespace=api.namespace))
    await api.edit(VMS, api.vm, {"metadata": {"labels": {"a": "b"}}})
    patch = [{"op": "replace", "path": "/metadata/resourceVersion", "value": version(made)}]
    answer = await api.call("PATCH", Place(VMS, api.vm), patch, content=JSON_PATCH)
    assert (answer.status, answer.json()["reason"]) == (409, "Conflict")


# Streams


async def test_selected_stream_shows_matches_and_their_end(api: ClusterClient) -> None:
    labels: list[Object] = [{"kept": "yes"}, {"more": "1"}, {"kept": None}, {"kept": "again"}]
    made = await api.create(a_template(namespace=api.namespace))
    expected: list[RequestStatus] = []
    for change in labels:
        edited = await api.edit(TEMPLATES, api.template, {"metadata": {"labels": change}})
        expected.append(("put", version(edited), edited["metadata"]["labels"]))
    expected[2] = ("drop", expected[2][1], {"kept": "yes", "more": "1"})  # as it was when it last matched
    await api.delete(TEMPLATES, api.template)
    last = await api.create(a_template("other", namespace=api.namespace, labels={"kept": "yes"}))
    [*first_four, deleted, other] = await api.watched(version(made))
    assert first_four == expected
    assert deleted[0] == "drop"
    assert int(expected[3][1]) < int(deleted[1]) < int(version(last))
    assert deleted[2] == {"kept": "again", "more": "1"}
    assert other == ("put", version(last), {"kept": "yes"})


async def test_what_a_version_of_a_group_serves_is_listed(api: ClusterClient) -> None:
    answer = await api.get(SERVED, ObjectKey("kubevirt.io", "v1"))
    assert answer is not None
    assert answer["kind"] == "APIResourceList"
    assert "virtualmachines" in [each["name"] for each in answer["resources"]]


# Access


async def test_access_review_answers_for_the_requester(api: ClusterClient) -> None:
    """The fake server denies what a test configures; the real one denies a user without a role."""
    if isinstance(api._connection, InMemory):
        api._connection._server.denied.add(("mallory", api.vm))
    assert not (await api.cluster.may_get_vm(Requester("mallory"), api.vm)).allowed
    admin = Requester("root", groups=("system:masters",))
    assert (await api.cluster.may_get_vm(admin, api.vm)).allowed


async def test_request_is_exactly_current_until_its_status_changes(api: ClusterClient) -> None:
    request = await api.a_request()
    assert await api.cluster.is_current(request, exact=True)
    await api.edit(REQUESTS, api.request, {"status": {"observedGeneration": 1}}, "/status")
    assert await api.cluster.is_current(request)
    assert not await api.cluster.is_current(request, exact=True)
