"""The streams of the whole cluster, and of some namespaces."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import orjson
import pytest

from atmpl.controller.cluster import StreamState
from atmpl.controller.objects import ObjectKey
from atmpl.kube.client import KubeClient
from atmpl.kube.cluster import KubeCluster
from atmpl.kube.streams import Streams
from atmpl.kube.workqueue import WorkQueue
from atmpl.template import FORMATS
from tests.support.scripted_server import FixedCredentials


def streams(*namespaces: str) -> Streams:
    client = KubeClient(FixedCredentials("http://nowhere.example"))
    return Streams(client, WorkQueue[ObjectKey](random=Random(1)), random=Random(1), namespaces=namespaces)


def request(namespace: str, name: str = "r", vm_namespace: str = "", version: int = 1) -> msgspec.Raw:
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}", "resourceVersion": str(version)}
    source = {"vmName": "vm", "vmNamespace": vm_namespace or namespace}
    spec = {"source": source, "target": {"openshiftTemplate": {}}, "refreshPolicy": "OnChange"}
    return msgspec.Raw(orjson.dumps({"metadata": metadata, "spec": spec}))


def vm(namespace: str, version: int = 1) -> msgspec.Raw:
    metadata: dict[str, Any] = {"name": "vm", "namespace": namespace, "uid": "u", "resourceVersion": str(version)}
    return msgspec.Raw(orjson.dumps({"metadata": metadata}))


async def test_cluster_streams_watch_all_namespaces() -> None:
    found = streams()
    assert [stream.name for stream in found.all] == [
        "virtualmachinetemplaterequests",
        "virtualmachines",
        "templates",
        "virtualmachinetemplates",
    ]
    assert [stream.reflector._target.path for stream in found.all][:2] == [
        "/apis/ssp.kubevirt.io/v1alpha1/virtualmachinetemplaterequests",
        "/apis/kubevirt.io/v1/virtualmachines",
    ]


async def test_namespaced_streams_watch_only_their_namespaces() -> None:
    found = streams("team-b", "team-a", "team-b")
    assert len(found.all) == 8
    for stream in found.all:
        namespace, plural = stream.name.split("/")
        assert stream.reflector._target.path.endswith(f"/namespaces/{namespace}/{plural}")


async def test_list_of_a_namespace_removes_only_its_requests() -> None:
    found = streams("team-a", "team-b")
    parts = {stream.name.split("/")[0]: stream.store for stream in found.all if stream.after is None}
    lists = [stream.store for stream in found.all if stream.name.endswith("virtualmachinetemplaterequests")]
    for store, namespace in zip(lists, ("team-a", "team-b"), strict=True):
        store.upsert(request(namespace))
    assert [len(store) for store in lists] == [1, 1]
    lists[0].retain_only(set())
    assert [len(store) for store in lists] == [0, 1]
    assert parts.keys() == {"team-a", "team-b"}


async def test_namespace_without_a_list_delays_no_other() -> None:
    found = streams("team-a", "team-b")
    first, second = (stream for stream in found.all if stream.name.endswith("virtualmachinetemplaterequests"))
    assert first.name in found.unready()
    first.store.mark_synced(served=True)
    assert found.requests.synced.is_set()
    assert (first.name in found.unready(), second.name in found.unready()) == (False, True)
    second.store.mark_synced(served=False)
    assert (found.unready(), found.requests.is_served) == ("", True)


async def test_stream_states_are_those_of_the_namespace() -> None:
    found = streams("team-a", "team-b")
    cluster = KubeCluster(
        KubeClient(FixedCredentials("")), found.requests, found.vms, found.templates, now=lambda: datetime.now(UTC)
    )
    found.vms["team-a"].mark_synced(served=True)
    found.templates["openshift", "team-a"].mark_synced(served=False)
    assert cluster.vm_stream("team-a") is StreamState.INTERRUPTED
    assert cluster.vm_stream("team-b") is StreamState.SYNCING
    assert cluster.template_stream(FORMATS["openshift"], "team-a") is StreamState.NOT_SERVED
    assert cluster.template_stream(FORMATS["openshift"], "team-b") is StreamState.SYNCING
    assert [cluster.serves_namespace(name) for name in ("team-a", "team-b", "team-c")] == [True, True, False]


@pytest.mark.parametrize("namespaces", [(), ("team-a", "team-b")], ids=["cluster", "namespaces"])
async def test_vm_is_kept_while_any_request_refers_to_it(namespaces: tuple[str, ...]) -> None:
    found = streams(*namespaces)
    store = found.vms["team-b" if namespaces else ""]
    store.upsert(vm("team-b"))
    assert len(store) == 0
    found.requests.upsert(request("team-a", vm_namespace="team-b"))
    store.upsert(vm("team-b", 2))
    assert len(store) == 1
    found.requests.delete(request("team-a", vm_namespace="team-b"))
    assert len(store) == 0
