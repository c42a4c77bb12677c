"""The calls of a request: recorded for the baseline loop, and counted by the API server."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

import msgspec
import orjson
from prometheus_client.parser import text_string_to_metric_families

from atmpl.controller.objects import ObjectKey
from atmpl.controller.reconcile import reconcile
from atmpl.kube.client import CALL_TIMEOUT, KubeClient
from atmpl.kube.cluster import KubeCluster
from atmpl.kube.response import Response
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.kube.workqueue import WorkQueue
from atmpl.template import FORMATS
from e2e.bench.baseline_loop import Call
from e2e.bench.bench_cluster import FailedError
from e2e.envtest import Client
from e2e.objects import Object

# An implementation might call these groups. Calls of other groups are the API server's own.
GROUPS = {"kubevirt.io", "template.openshift.io", "ssp.kubevirt.io", "admissionregistration.k8s.io", "events.k8s.io"}

APICall = tuple[str, str, str]  # verb, resource with its subresource, code

CALLS_PER_REQUEST: dict[APICall, int] = {
    ("GET", "virtualmachines", "200"): 1,
    ("POST", "templates", "201"): 1,
    ("PATCH", "virtualmachinetemplaterequests/status", "200"): 1,
}


class Counted(NamedTuple):
    """The API server's counters."""

    calls: Counter[APICall]
    cpu: float  # seconds


async def count_calls(client: Client) -> Counted:
    """Read the API server's counters. Lists and watches are not counted."""
    text: str = await client.get("/metrics")
    wanted = ("apiserver_request_total{", "process_cpu_seconds_total ")
    lines = "\n".join(line for line in text.splitlines() if line.startswith(wanted))
    calls: Counter[APICall] = Counter()
    cpu = 0.0
    for family in text_string_to_metric_families(f"{lines}\n"):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "process_cpu_seconds_total":
                cpu = sample.value
            elif labels["verb"] not in {"LIST", "WATCH"} and (
                labels["group"] in GROUPS or labels["resource"] == "events"
            ):
                resource = "/".join(filter(None, (labels["resource"], labels["subresource"])))
                calls[labels["verb"], resource, labels["code"]] += int(sample.value)
    return Counted(calls, cpu)


def require_calls(before: Counted, after: Counted, requests: int, own: Mapping[APICall, int] | None = None) -> None:
    """Raise FailedError unless the API server received CALLS_PER_REQUEST per request, our `own` calls and no others."""
    received = after.calls - before.calls
    expected = Counter({call: requests * times for call, times in CALLS_PER_REQUEST.items()}) + Counter(own or {})
    if received != expected:
        surplus, missing = received - expected, expected - received
        raise FailedError(f"unexpected calls: too many {dict(surplus)}, missing {dict(missing)}")


async def record_calls(vms: Iterable[Object], requests: Iterable[Object]) -> list[list[Call]]:
    """Return the calls that atmpl's own code makes for each request. `vms` and `requests` are as the server has them.

    Nothing is sent. Only the created template's uid is invented.
    """
    stored = {f"/{vm['metadata']['namespace']}/{vm['metadata']['name']}": orjson.dumps(vm) for vm in vms}
    recorder = _Recorder(stored)
    queue: WorkQueue[ObjectKey] = WorkQueue(random=Random(0))
    known = RequestStore(queue.add)
    seen = VMStore(lambda _: None, known.sources)
    templates = {(name, ""): TemplateStore(changed=lambda _: None) for name in FORMATS}
    cluster = KubeCluster(recorder, known, {"": seen}, templates, now=lambda: datetime.now(UTC))
    for stored_vm in stored.values():
        seen.upsert(msgspec.Raw(stored_vm))
    recorded = []
    for body in requests:
        known.upsert(msgspec.Raw(orjson.dumps(body)))
        request = known.get(ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"]))
        assert request is not None
        recorder.recorded = []
        await reconcile(request, cluster, policy_required=False)
        recorded.append(recorder.recorded)
        await asyncio.sleep(0)
    return recorded


class _Recorder(KubeClient):
    """A client that records calls instead of sending them."""

    def __init__(self, vms: Mapping[str, bytes]) -> None:
        self._vms = vms
        self.recorded: list[Call] = []

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: object = CALL_TIMEOUT,
    ) -> Response:
        del timeout
        url = f"{path}?{'&'.join(f'{key}={value}' for key, value in query.items())}" if query else path
        self.recorded.append(Call(method, url, dict(headers or {}), body))
        if method == "GET":
            namespace, name = path.split("/")[-3::2]
            return Response(200, self._vms[f"/{namespace}/{name}"])
        metadata = {"uid": "00000000-0000-4000-8000-000000000000", "resourceVersion": "1"}
        return Response(201 if method == "POST" else 200, orjson.dumps({"metadata": metadata}))
