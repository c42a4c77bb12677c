"""The controller's `Cluster` over HTTP: what the streams showed, and calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import orjson

from atmpl.controller import vm_digest
from atmpl.controller.admission_policy import SPECS
from atmpl.controller.cluster import (
    AccessReview,
    APINotFoundError,
    ConflictError,
    PolicyObjects,
    StreamState,
    TemplateMeta,
    UnavailableError,
    Unknown,
)
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Published
from atmpl.controller.ownership import meta_of
from atmpl.controller.request import Request, Requester
from atmpl.kube.client import FIELD_MANAGER, METADATA, KubeClient
from atmpl.kube.resources import REQUESTS, VMS, Resource, templates
from atmpl.kube.response import Response, error_from
from atmpl.kube.stores import of_namespace
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.template import Format

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES = "validatingadmissionpolicies"
BINDINGS = "validatingadmissionpolicybindings"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
POLICY_READ_INTERVAL_SECONDS = 0.1  # between two reads of the admission policies
MAX_READS = 24  # of VMs and templates, at a time; three eighths of the default number of workers

MANAGED: Final = {"fieldManager": FIELD_MANAGER}
WRITE: Final = {"Content-Type": "application/json", "Accept": METADATA}
PATCH: Final = {"Content-Type": "application/json-patch+json", "Accept": METADATA}
READ: Final = {"Accept": "application/json"}
READ_METADATA: Final = {"Accept": METADATA}


T = TypeVar("T")


class SharedRead(Generic[T]):
    """Share a read between concurrent callers: each gets the result of a read that began after its call.

    One read runs at a time, and two reads begin at least `interval` seconds apart.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], interval: float) -> None:
        self._read = read
        self._interval = interval
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None  # has not begun to read
        self._began = float("-inf")  # when the last read began

    async def get(self) -> T:
        """Return the result of the next read. Cancelling a caller does not cancel the read of the others."""
        if self._next is None:
            self._next = asyncio.create_task(self._run(self._running))
            # Without callers, nothing else retrieves an exception.
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._next)

    async def _run(self, previous: "asyncio.Task[T] | None") -> T:
        if previous:
            await asyncio.wait({previous})
        clock = asyncio.get_running_loop().time
        if (wait := self._began + self._interval - clock()) > 0:
            await asyncio.sleep(wait)
        self._running, self._next = self._next, None
        self._began = clock()
        return await self._read()


class KubeCluster:
    """A Cluster over HTTP. `now` returns the API server's time."""

    def __init__(
        self,
        client: KubeClient,
        requests: RequestStore,
        vms: Mapping[str, VMStore],
        templates: Mapping[tuple[str, str], TemplateStore],
        *,
        now: Callable[[], datetime],
        max_reads: int = MAX_READS,
    ) -> None:
        """Create it. `vms` are by namespace, `templates` by format and namespace; ``""`` is the whole cluster.

        At most `max_reads` VMs and templates are read at a time: one can have 1 MB, which is not known before.
        """
        self.now = now
        self._reads = asyncio.Semaphore(max_reads)
        self._policies = SharedRead(self._read_policies, POLICY_READ_INTERVAL_SECONDS)
        self._client = client
        self._requests = requests
        self._vms = vms
        self._templates = templates

    def serves_namespace(self, namespace: str) -> bool:
        """Return True if the objects of this namespace are watched."""
        return of_namespace(self._vms, namespace) is not None

    def vm_stream(self, namespace: str) -> StreamState:
        """Return the state of the stream of VMs."""
        return self._vm_store(namespace).state

    def template_stream(self, format: Format, namespace: str) -> StreamState:
        """Return the state of the stream of a format's refreshed templates."""
        return self._template_store(format, namespace).state

    def vm_digest(self, source: ObjectKey) -> str | Unknown | None:
        """Return the digest of the VM as the stream last showed it; None if absent, UNKNOWN if not shown yet."""
        return self._vm_store(source.namespace).digest(source)

    def record_size(self, source: ObjectKey, *, is_large: bool) -> None:
        """Record whether the last template of the VM was large."""
        self._vm_store(source.namespace).record_size(source, is_large=is_large)

    def is_large(self, source: ObjectKey) -> bool:
        """Return True if the last template of the VM was large."""
        store = of_namespace(self._vms, source.namespace)
        return store is not None and store.is_large(source)

    def template_version(self, format: Format, key: ObjectKey) -> str | None:
        """Return the resourceVersion of a refreshed template as the stream last showed it."""
        return self._template_store(format, key.namespace).version(key)

    def template_api_version(self, format: Format, namespace: str) -> str:
        """Return the API version of a format's templates that the stream found to be served."""
        return self._template_store(format, namespace).api_version or format.api_version

    def _resource(self, format: Format, namespace: str) -> Resource:
        return templates(format, self.template_api_version(format, namespace))

    def _vm_store(self, namespace: str) -> VMStore:
        store = of_namespace(self._vms, namespace)
        assert store is not None, "sources in other namespaces are rejected"
        return store

    def _template_store(self, format: Format, namespace: str) -> TemplateStore:
        place = (format.name, namespace)
        return self._templates[place] if place in self._templates else self._templates[format.name, ""]

    async def vm(self, source: ObjectKey, *, uncached: bool = False) -> dict[str, Any] | None:
        """Read a VM: with `uncached` from etcd, otherwise from the watch cache, not older than the stream showed it."""
        path = VMS.of(source)
        store = self._vm_store(source.namespace)
        async with self._reads:
            cached, lists = store.get(source), store.lists
            if cached is not None and not uncached:
                query = {"resourceVersion": cached.version}
                response = await self._client.call("GET", path, query=query, headers=READ)
                # 404: deleted in the meantime. 504: the cache did not reach this version in 3 s. Then etcd is read.
                if response.status not in {404, 410, 504}:
                    return self._record(store, source, _object(response), lists)
            return self._record(store, source, _object(await self._client.call("GET", path, headers=READ)), lists)

    def _record(
        self, store: VMStore, source: ObjectKey, vm: dict[str, Any] | None, lists: int
    ) -> dict[str, Any] | None:
        """Let the store know of a VM that was read. Its absence is left to the stream: it can be created meanwhile."""
        fields = ("labels", "annotations")
        if vm is not None and all(isinstance(vm["metadata"].get(field) or {}, dict) for field in fields):
            version, digest = vm["metadata"]["resourceVersion"], vm_digest.digest_of(vm)
            store.record_read(source, version, digest, lists)
        return vm

    async def create_template(self, format: Format, namespace: str, body: bytes) -> Published:
        """Create a template; only its metadata is returned."""
        path = self._resource(format, namespace).within(namespace)
        return _published(await self._client.call("POST", path, query=MANAGED, body=body, headers=WRITE))

    async def template_meta(self, format: Format, key: ObjectKey) -> TemplateMeta | None:
        """Read a template's metadata."""
        template = _object(
            await self._client.call("GET", self._resource(format, key.namespace).of(key), headers=READ_METADATA)
        )
        return None if template is None else meta_of(template)

    async def template(self, format: Format, key: ObjectKey) -> dict[str, Any] | None:
        """Read a template."""
        path = self._resource(format, key.namespace).of(key)
        async with self._reads:
            return _object(await self._client.call("GET", path, headers=READ))

    async def patch_template(self, format: Format, key: ObjectKey, patch: bytes) -> Published:
        """Apply a JSON patch to a template."""
        path = self._resource(format, key.namespace).of(key)
        return _published(await self._client.call("PATCH", path, query=MANAGED, body=patch, headers=PATCH))

    async def is_current(self, request: Request, *, exact: bool = False) -> bool:
        """Read the request from etcd and compare it."""
        found = _object(await self._client.call("GET", REQUESTS.of(request.key), headers=READ_METADATA))
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        metadata = found["metadata"]
        if exact and metadata["resourceVersion"] != request.resource_version:
            return False
        return (metadata["uid"], metadata.get("generation", 0)) == (request.uid, request.generation)

    async def policies(self) -> dict[str, PolicyObjects]:
        """Read the admission policies and their bindings, shared with concurrent callers."""
        return await self._policies.get()

    async def _read_policies(self) -> dict[str, PolicyObjects]:
        """Read all versions; the objects are None if the cluster does not serve these kinds."""
        paths = [f"{ADMISSION}/{kind}/{name}" for name in SPECS for kind in (POLICIES, BINDINGS)]
        calls = (self._client.call("GET", path, headers=READ) for path in paths)
        responses = await asyncio.gather(*calls, return_exceptions=True)  # wait for all, also if one fails
        try:
            objects = [_object(_raised(response)) for response in responses]
        except APINotFoundError:
            if not await self._serves_no_policies():
                raise
            return {name: PolicyObjects(None, None) for name in SPECS}
        pairs = zip(objects[::2], objects[1::2], strict=True)
        return {name: PolicyObjects(*pair) for name, pair in zip(SPECS, pairs, strict=True)}

    async def _serves_no_policies(self) -> bool:
        """Check by discovery: a plain 404 can also come from a proxy, and a request that is denied stays denied."""
        response = await self._client.call("GET", ADMISSION, headers=READ)
        found = response.json() if response.ok else {}
        kinds = found.get("resources") if found.get("kind") == "APIResourceList" else None
        return isinstance(kinds, list) and not any(
            isinstance(kind, dict) and kind.get("name") in {POLICIES, BINDINGS} for kind in kinds
        )

    async def may_get_vm(self, requester: Requester, source: ObjectKey) -> AccessReview:
        """Create a SubjectAccessReview for the verb get on the VM."""
        group, version = VMS.api_version.split("/")
        attributes = {"group": group, "version": version, "resource": VMS.plural, "verb": "get"}
        spec: dict[str, Any] = {
            "user": requester.username,
            "groups": requester.groups,
            "extra": dict(requester.extra),
            "resourceAttributes": {**attributes, "namespace": source.namespace, "name": source.name},
        }
        if requester.uid:
            spec["uid"] = requester.uid
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        headers = {"Content-Type": "application/json", **READ}
        response = await self._client.call("POST", ACCESS_REVIEWS, body=orjson.dumps(review), headers=headers)
        if not response.ok:
            raise error_from(response)
        status = response.json().get("status")
        if not isinstance(status, dict) or type(status.get("allowed")) is not bool:
            raise UnavailableError("a SubjectAccessReview without a status")
        error = status.get("evaluationError")
        return AccessReview(status["allowed"], error if isinstance(error, str) else "")

    async def write_status(self, request: Request, status: dict[str, Any]) -> None:
        """Write the status of exactly this version of the request: the patch contains the version."""
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": request.resource_version},
            {"op": "add", "path": "/status", "value": status},
        ]
        self._requests.expect_write(request, status)
        version = None
        try:
            path, body = f"{REQUESTS.of(request.key)}/status", orjson.dumps(patch)
            version = _published(
                await self._client.call("PATCH", path, query=MANAGED, body=body, headers=PATCH)
            ).resource_version
        finally:
            self._requests.record_write(request, version)

    async def delete_request(self, request: Request) -> None:
        """Delete exactly this version of the request."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": request.uid, "resourceVersion": request.resource_version},
        }
        response = await self._client.call("DELETE", REQUESTS.of(request.key), body=orjson.dumps(body), headers=WRITE)
        if not response.ok:
            raise error_from(response)
        response.json()  # a proxy's page is not a deletion


def _object(response: Response) -> dict[str, Any] | None:
    """Return the object that was read, after a check of the metadata that every object has; None if it is absent."""
    if not response.ok:
        error = error_from(response)
        if response.status == 404 and isinstance(error, ConflictError):
            return None
        raise error
    found = response.json()
    _check_metadata(found, "uid", "resourceVersion", "creationTimestamp")
    return found


def _raised(response: Response | BaseException) -> Response:
    if isinstance(response, BaseException):
        raise response
    return response


def _published(response: Response) -> Published:
    if not response.ok:
        raise error_from(response)
    metadata = _check_metadata(response.json(), "uid", "resourceVersion")
    return Published(metadata["uid"], metadata["resourceVersion"])


def _check_metadata(found: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Return the metadata of an object. `fields` must be strings: they enter statuses and patches."""
    metadata = found.get("metadata")
    if (
        not isinstance(metadata, dict)
        or any(type(metadata.get(field)) is not str for field in fields)
        or type(metadata.get("generation", 0)) is not int
    ):
        raise UnavailableError("an object without metadata")
    return metadata
