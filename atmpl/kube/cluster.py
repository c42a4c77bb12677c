"""The `Cluster` of a real API server: what the streams showed, and calls in their cheapest forms. Design section 3."""

import asyncio
from typing import Any

import orjson

from atmpl.controller.admission_policy import NAME as POLICY
from atmpl.controller.cluster import APINotFoundError, ConflictError, PolicyObjects, TemplateMeta, UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Published
from atmpl.controller.request import Request
from atmpl.kube.client import METADATA, KubeClient
from atmpl.kube.resources import REQUESTS, VMS, templates
from atmpl.kube.response import Response, error_from
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.template import Format

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES = "validatingadmissionpolicies"
BINDINGS = "validatingadmissionpolicybindings"

WRITE = {"Content-Type": "application/json", "Accept": METADATA}
PATCH = {"Content-Type": "application/json-patch+json", "Accept": METADATA}
READ = {"Accept": "application/json"}
READ_METADATA = {"Accept": METADATA}


class KubeCluster:
    """A Cluster over HTTP."""

    def __init__(
        self, connection: KubeClient, requests: RequestStore, vms: VMStore, kept: dict[str, TemplateStore]
    ) -> None:
        self._connection = connection
        self._requests = requests
        self._vms = vms
        self._kept = kept  # by the format's name

    def vm_digest(self, source: ObjectKey) -> str | None:
        """Return the digest of the VM that the stream shows."""
        seen = self._vms.get(source)
        return seen.digest if seen else None

    def template_version(self, format: Format, key: ObjectKey) -> str | None:
        """Return the resourceVersion of a template kept in step."""
        return self._kept[format.name].version(key)

    async def vm(self, source: ObjectKey, *, fresh: bool = False) -> dict[str, Any] | None:
        """Read a VM: from the server's watch cache, at the version that its event named; else from its store."""
        path = VMS.of(source)
        seen = self._vms.get(source)
        if seen is not None and not fresh:
            # 404: deleted since. 504: the cache has not come that far in 3 s. Both are for the store to say.
            answer = await self._connection.call("GET", path, query={"resourceVersion": seen.version}, headers=READ)
            if answer.status not in {404, 410, 504}:
                return _found(answer)
        return _found(await self._connection.call("GET", path, headers=READ))

    async def create_template(self, format: Format, namespace: str, body: bytes) -> Published:
        """Write a new template; only its metadata comes back."""
        path = templates(format).within(namespace)
        return _published(await self._connection.call("POST", path, body=body, headers=WRITE), body)

    async def template_meta(self, format: Format, key: ObjectKey) -> TemplateMeta | None:
        """Read a template's metadata."""
        found = _found(await self._connection.call("GET", templates(format).of(key), headers=READ_METADATA))
        if found is None:
            return None
        meta = found["metadata"]
        return TemplateMeta(
            uid=meta["uid"],
            version=meta["resourceVersion"],
            created=meta["creationTimestamp"],
            labels=meta.get("labels") or {},
            annotations=meta.get("annotations") or {},
        )

    async def template(self, format: Format, key: ObjectKey) -> dict[str, Any] | None:
        """Read a whole template."""
        return _found(await self._connection.call("GET", templates(format).of(key), headers=READ))

    async def patch_template(self, format: Format, key: ObjectKey, patch: list[dict[str, Any]]) -> Published:
        """Patch a template."""
        body = orjson.dumps(patch)
        return _published(
            await self._connection.call("PATCH", templates(format).of(key), body=body, headers=PATCH), body
        )

    async def is_current(self, request: Request) -> bool:
        """Ask the store for the request."""
        found = _found(await self._connection.call("GET", REQUESTS.of(request.key), headers=READ_METADATA))
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        return (found["metadata"]["uid"], found["metadata"].get("generation", 0)) == (request.uid, request.generation)

    async def policy(self) -> PolicyObjects:
        """Read the admission policy and its binding, both at once; None where the cluster knows no such kind."""
        calls = (
            self._connection.call("GET", f"{ADMISSION}/{kind}/{POLICY}", headers=READ) for kind in (POLICIES, BINDINGS)
        )
        answers = await asyncio.gather(*calls, return_exceptions=True)  # neither is left behind where the other fails
        try:
            policy, binding = (_found(_raised(answer)) for answer in answers)
        except APINotFoundError:
            if not await self._knows_no_policies():
                raise
            return PolicyObjects(None, None)
        return PolicyObjects(policy, binding)

    async def _knows_no_policies(self) -> bool:
        """Ask what is served. The plain 404 is also a proxy's; and a request that is denied for it stays denied."""
        answer = await self._connection.call("GET", ADMISSION, headers=READ)
        found = answer.json() if answer.ok else {}
        kinds = found.get("resources") if found.get("kind") == "APIResourceList" else None
        return isinstance(kinds, list) and not any(
            isinstance(kind, dict) and kind.get("name") in {POLICIES, BINDINGS} for kind in kinds
        )

    async def write_status(self, request: Request, status: dict[str, Any]) -> None:
        """Write the status of exactly the request that was judged: the version stands in the patch itself."""
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": request.version},
            {"op": "add", "path": "/status", "value": status},
        ]
        self._requests.expect_write(request, status)
        version = None
        try:
            path = f"{REQUESTS.of(request.key)}/status"
            answer = await self._connection.call("PATCH", path, body=orjson.dumps(patch), headers=PATCH)
            version = _published(answer).version
        finally:
            self._requests.record_write(request, version)

    async def delete_request(self, request: Request) -> None:
        """Delete exactly the request that was judged."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": request.uid, "resourceVersion": request.version},
        }
        answer = await self._connection.call("DELETE", REQUESTS.of(request.key), body=orjson.dumps(body), headers=WRITE)
        if not answer.ok:
            raise error_from(answer)
        answer.json()  # a page that a proxy answered with is no deletion


def _found(answer: Response) -> dict[str, Any] | None:
    """Return the object that was read, with the metadata every object has; None where there is none."""
    if not answer.ok:
        error = error_from(answer)
        if answer.status == 404 and isinstance(error, ConflictError):
            return None
        raise error
    found = answer.json()
    _metadata(found, "uid", "resourceVersion", "creationTimestamp")
    return found


def _raised(answer: Response | BaseException) -> Response:
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _published(answer: Response, sent: bytes = b"") -> Published:
    if not answer.ok:
        raise error_from(answer, sent)
    metadata = _metadata(answer.json(), "uid", "resourceVersion")
    return Published(metadata["uid"], metadata["resourceVersion"])


def _metadata(found: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Return the metadata that every object has, with texts in `fields`: they go into statuses and patches."""
    metadata = found.get("metadata")
    if (
        not isinstance(metadata, dict)
        or any(type(metadata.get(field)) is not str for field in fields)
        or type(metadata.get("generation", 0)) is not int
    ):
        raise UnavailableError("an object without metadata")
    return metadata
