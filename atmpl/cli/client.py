"""The cluster, as the user of a command reaches it: a few calls, and errors with a remedy.

It uses the controller's HTTP client, so each call has a timeout and each failure a type.
"""

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from atmpl.cli.errors import CommandError
from atmpl.controller.cluster import (
    APINotFoundError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    NamespaceTerminatingError,
    UnavailableError,
)
from atmpl.controller.objects import ObjectKey
from atmpl.kube.resources import REQUESTS, VMS, Resource
from atmpl.kube.response import Response, error_from
from atmpl.template import Format

if TYPE_CHECKING:
    from atmpl.kube.auth import Credentials
    from atmpl.kube.client import KubeClient

JSON = {"Accept": "application/json"}
METADATA_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
WRITE = {"Content-Type": "application/json", **JSON}
SELF_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
METADATA = ("name", "namespace", "uid")  # present in every namespaced object, also after a dry run
POLICY_MESSAGE = "denied request: "  # precedes the message of an admission policy


@dataclass(frozen=True, slots=True)
class ClusterClient:
    """A cluster, as one user."""

    connection: "KubeClient"
    namespace: str  # the default namespace
    server: str  # the address, for messages

    async def create(self, path: str, body: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        """Post an object; return it as the server stored it. Raises ClusterError."""
        response = await self.connection.call("POST", path, body=orjson.dumps(body), query=query, headers=WRITE)
        return _object_in(response)

    async def read(self, path: str) -> dict[str, Any] | None:
        """Return an object, None if it does not exist. Raises ClusterError."""
        try:
            return _object_in(await self.connection.call("GET", path, headers=JSON))
        except ConflictError:
            return None

    async def read_template(self, format: Format, name: str) -> dict[str, Any] | None:
        """Return a template of the namespace, None if it does not exist. Raises ClusterError."""
        resources = template_resources(format)
        for resource in resources:
            try:
                template = await self.read(resource.of(ObjectKey(self.namespace, name)))
            except APINotFoundError:
                if resource is resources[-1]:
                    raise
                continue
            identity = {"apiVersion": resource.api_version, "kind": format.kind}
            return None if template is None else identity | template | identity  # of the path, whatever the body has
        return None

    async def namespace_is_missing(self, namespace: str) -> bool:
        """Return True if the cluster reports that it has no such namespace; False also if the user may not get it."""
        try:
            response = await self.connection.call("GET", f"/api/v1/namespaces/{namespace}", headers=JSON)
        except ClusterError:
            return False
        return response.status == 404

    async def user_info(self) -> dict[str, Any] | None:
        """Return who the cluster takes this user for; None if it does not report it. Raises UnavailableError."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        response = await self.connection.call("POST", SELF_REVIEW, body=orjson.dumps(body), headers=WRITE)
        status = response.json().get("status") if response.ok else None
        user = status.get("userInfo") if isinstance(status, dict) else None
        return user if isinstance(user, dict) and isinstance(user.get("username"), str) else None

    async def list_names(self, path: str) -> list[str]:
        """Return the names of up to 500 objects of a collection. Raises ClusterError."""
        response = await self.connection.call("GET", path, query={"limit": "500"}, headers=METADATA_LIST)
        if not response.ok:
            raise error_from(response)
        items = response.json().get("items")
        objects = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        names = [item["metadata"].get("name") for item in objects if isinstance(item.get("metadata"), dict)]
        return [name for name in names if isinstance(name, str)]


def open_cluster(args: argparse.Namespace, *, interactive: bool = True) -> AbstractAsyncContextManager[ClusterClient]:
    """Return a context manager that opens the cluster of kubectl's options. Raises CommandError, also when entered.

    `interactive`: a credential plugin may print messages and use the terminal.

    Call it before the event loop runs: its imports block for a tenth of a second or more.
    """
    import logging

    from atmpl.kube.auth import CredentialsError, ImpersonatedCredentials, load_credentials

    logging.getLogger("kubernetes_asyncio").setLevel(logging.CRITICAL + 1)  # it logs a plugin's output, with tokens
    logging.getLogger("atmpl").addHandler(logging.NullHandler())  # the command reports errors itself
    try:
        credentials = load_credentials(args.kubeconfig, args.context, interactive=interactive)
    except CredentialsError as error:
        raise CommandError(str(error)) from None
    if args.user is not None:
        credentials = ImpersonatedCredentials(credentials, args.user, args.groups)
    return _opened(credentials, args.namespace)


@asynccontextmanager
async def _opened(credentials: "Credentials", namespace: str | None) -> AsyncIterator[ClusterClient]:
    from atmpl.kube.auth import CredentialsError
    from atmpl.kube.client import KubeClient

    try:
        endpoint = await credentials.endpoint()
        namespace = namespace or await credentials.namespace()
    except CredentialsError as error:
        raise CommandError(str(error)) from None
    async with KubeClient(credentials) as connection:
        yield ClusterClient(connection, namespace, endpoint.display_url)


def requests_path(namespace: str) -> str:
    """Return the path of a namespace's requests."""
    return REQUESTS.within(namespace)


def vms_path(namespace: str) -> str:
    """Return the path of a namespace's virtual machines."""
    return VMS.within(namespace)


def vm_path(namespace: str, name: str) -> str:
    """Return the path of a virtual machine."""
    return VMS.of(ObjectKey(namespace, name))


def template_resources(format: Format) -> list[Resource]:
    """Return the template API of a format in each version that a cluster can serve, the newest first.

    KubeVirt 1.8 serves v1alpha1 of the native format only.
    """
    versions = [version for version in (format.api_version, *format.aliases) if "/" in version]
    return [Resource(version, format.plural) for version in versions]


def explain_error(
    error: ClusterError, action: str, *, not_served: str, client: ClusterClient, namespace: str, fix: str = ""
) -> CommandError:
    """Return the error for a failed `action`: one sentence, and what to do.

    `not_served` is the problem and the fix if the cluster does not serve the API of the object; `fix` is what to do if
    the user may not do it.
    """
    message = error.server_message or str(error)
    match error:
        case ForbiddenError() if POLICY_MESSAGE in message:
            return CommandError(f"denied: {message.partition(POLICY_MESSAGE)[2]}")
        case ForbiddenError():
            fix = fix or f"request a role such as edit in {namespace}"
            return CommandError(f"you may not {action}: {message}; {fix}")
        case APINotFoundError():
            return CommandError(f"cannot {action}: {not_served}")
        case NamespaceTerminatingError():
            return CommandError(f"cannot {action}: the namespace {namespace} does not exist or is deleted ({message})")
        case UnavailableError():
            return CommandError(
                f"cannot {action}: no response from {client.server} ({message}); see kubectl cluster-info"
            )
        case _:
            return CommandError(f"cannot {action}: {message}")


def require_object(value: Any) -> dict[str, Any]:
    """Return an object with the metadata of every object. Raises UnavailableError: another server answered."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict) or any(type(metadata.get(field)) is not str for field in METADATA):
        raise UnavailableError("the response is not a Kubernetes object; is this a Kubernetes API server?")
    return dict(value)


def _object_in(response: Response) -> dict[str, Any]:
    if response.ok:
        return require_object(response.json())
    if response.status == 401:
        raise CommandError(
            "the cluster rejects your credentials (401 Unauthorized); log in, or choose another --context"
        )
    raise error_from(response)
