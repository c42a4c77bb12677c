"""The controller's `Cluster` over HTTP: what the streams showed, and calls."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from atmpl.controller import vm_digest
from atmpl.controller.admission_policy import NAME as POLICY
from atmpl.controller.cluster import (
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
from atmpl.controller.request import Request
from atmpl.kube.client import FIELD_MANAGER, METADATA, KubeClient
from atmpl.kube.resources import REQUESTS, VMS, templates
from atmpl.kube.response import Response, error_from
from atmpl.kube.stores import of_namespace
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.template import Format

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES = "validatingadmissionpolicies"
BINDINGS = "validatingadmissionpolicybindings"

MANAGED: Final = {"fieldManager": FIELD_MANAGER}
WRITE: Final = {"Content-Type": "application/json", "Accept": METADATA}
PATCH: Final = {"Content-Type": "application/json-patch+json", "Accept": METADATA}
READ: Final = {"Accept": "application/json"}
READ_METADATA: Final = {"Accept": METADATA}


class KubeCluster:
    """A Cluster over HTTP."""

    def __init__(
        self,
        client: KubeClient,
        requests: RequestStore,
        vms: Mapping[str, VMStore],
        templates: Mapping[tuple[str, str], TemplateStore],
    ) -> None:
        """Create it. `vms` are by namespace, `templates` by format and namespace; ``""`` is the whole cluster."""
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

    def template_version(self, format: Format, key: ObjectKey) -> str | None:
        """Return the resourceVersion of a refreshed template as the stream last showed it."""
        return self._template_store(format, key.namespace).version(key)

    def _vm_store(self, namespace: str) -> VMStore:
        store = of_namespace(self._vms, namespace)
        assert store is not None, "sources in other namespaces are rejected"
        return store

    def _template_store(self, format: Format, namespace: str) -> TemplateStore:
        place = (format.name, namespace)
        return self._templates[place] if place in self._templates else self._templates[format.name, ""]

    async def vm(self, source: ObjectKey, *, fresh: bool = False) -> dict[str, Any] | None:
        """Read a VM: with `fresh` from etcd, otherwise from the watch cache, not older than the stream showed it."""
        path = VMS.of(source)
        store = self._vm_store(source.namespace)
        cached, lists = store.get(source), store.lists
        if cached is not None and not fresh:
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
            version, digest = vm["metadata"]["resourceVersion"], vm_digest.vm_digest_of(vm)
            store.record_read(source, version, digest, lists)
        return vm

    async def create_template(self, format: Format, namespace: str, body: bytes) -> Published:
        """Create a template; only its metadata is returned."""
        path = templates(format).within(namespace)
        return _published(await self._client.call("POST", path, query=MANAGED, body=body, headers=WRITE))

    async def template_meta(self, format: Format, key: ObjectKey) -> TemplateMeta | None:
        """Read a template's metadata."""
        template = _object(await self._client.call("GET", templates(format).of(key), headers=READ_METADATA))
        if template is None:
            return None
        meta = template["metadata"]
        return TemplateMeta(
            uid=meta["uid"],
            version=meta["resourceVersion"],
            created=meta["creationTimestamp"],
            labels=meta.get("labels") or {},
            annotations=meta.get("annotations") or {},
        )

    async def template(self, format: Format, key: ObjectKey) -> dict[str, Any] | None:
        """Read a template."""
        return _object(await self._client.call("GET", templates(format).of(key), headers=READ))

    async def patch_template(self, format: Format, key: ObjectKey, patch: list[dict[str, Any]]) -> Published:
        """Apply a JSON patch to a template."""
        path, body = templates(format).of(key), orjson.dumps(patch)
        return _published(await self._client.call("PATCH", path, query=MANAGED, body=body, headers=PATCH))

    async def is_current(self, request: Request) -> bool:
        """Read the request from etcd; return True if it is the same object and generation, and not being deleted."""
        found = _object(await self._client.call("GET", REQUESTS.of(request.key), headers=READ_METADATA))
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        return (found["metadata"]["uid"], found["metadata"].get("generation", 0)) == (request.uid, request.generation)

    async def policy(self) -> PolicyObjects:
        """Read the admission policy and its binding; both are None if the cluster does not serve these kinds."""
        calls = (
            self._client.call("GET", f"{ADMISSION}/{kind}/{POLICY}", headers=READ) for kind in (POLICIES, BINDINGS)
        )
        responses = await asyncio.gather(*calls, return_exceptions=True)  # wait for both, also if one fails
        try:
            policy, binding = (_object(_raised(response)) for response in responses)
        except APINotFoundError:
            if not await self._serves_no_policies():
                raise
            return PolicyObjects(None, None)
        return PolicyObjects(policy, binding)

    async def _serves_no_policies(self) -> bool:
        """Check by discovery: a plain 404 can also come from a proxy, and a request that is denied stays denied."""
        response = await self._client.call("GET", ADMISSION, headers=READ)
        found = response.json() if response.ok else {}
        kinds = found.get("resources") if found.get("kind") == "APIResourceList" else None
        return isinstance(kinds, list) and not any(
            isinstance(kind, dict) and kind.get("name") in {POLICIES, BINDINGS} for kind in kinds
        )

    async def write_status(self, request: Request, status: dict[str, Any]) -> None:
        """Write the status of exactly this version of the request: the patch contains the version."""
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": request.version},
            {"op": "add", "path": "/status", "value": status},
        ]
        self._requests.expect_write(request, status)
        version = None
        try:
            path, body = f"{REQUESTS.of(request.key)}/status", orjson.dumps(patch)
            version = _published(
                await self._client.call("PATCH", path, query=MANAGED, body=body, headers=PATCH)
            ).version
        finally:
            self._requests.record_write(request, version)

    async def delete_request(self, request: Request) -> None:
        """Delete exactly this version of the request."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": request.uid, "resourceVersion": request.version},
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
