"""The cluster as a person's own command meets it: a few calls, and errors that say what to do.

It uses the controller's connection, so each call has its time limit and each failure its type. A person may see what
the server quotes of their own request, so nothing is cut out of its messages here.
"""

import argparse
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

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
from atmpl.kube.auth import CredentialsError, ImpersonatedCredentials, load_credentials
from atmpl.kube.client import KubeClient
from atmpl.kube.cluster import READ
from atmpl.kube.resources import REQUESTS, VMS, templates
from atmpl.kube.response import Response, error_from
from atmpl.template import Format

WRITE = {"Content-Type": "application/json", "Accept": "application/json"}
METADATA = ("name", "namespace", "uid")  # what every object in a namespace says of itself, in a dry run too
POLICY_SAYS = "denied request: "  # what stands before an admission policy's own words


class ClusterClient(NamedTuple):
    """A cluster, as one user; `namespace` is the one to work in where nobody names another."""

    connection: KubeClient
    namespace: str
    server: str  # its address, for people

    async def create(self, path: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Post an object; return it as the server made it. Raises ClusterError."""
        answer = await self.connection.call("POST", path, body=orjson.dumps(body), query=query, headers=WRITE)
        return _object(answer)

    async def read(self, path: str) -> dict[str, Any] | None:
        """Return an object, None where there is none. Raises ClusterError."""
        try:
            return _object(await self.connection.call("GET", path, headers=READ))
        except ConflictError:
            return None


@asynccontextmanager
async def opened(args: argparse.Namespace) -> AsyncIterator[ClusterClient]:
    """Open the cluster that the options of `flags` name. Raises CommandError where it cannot be made out."""
    logging.getLogger("kubernetes_asyncio").setLevel(logging.CRITICAL + 1)  # it logs what a plugin says, tokens too
    try:
        own = load_credentials(args.kubeconfig, args.context)
        if args.user is not None:
            own = ImpersonatedCredentials(own, args.user, args.groups)
        access = await own.endpoint()
        namespace = args.namespace or await own.namespace()
    except CredentialsError as error:
        raise CommandError(str(error)) from None
    async with KubeClient(own) as connection:
        yield ClusterClient(connection, namespace, access.display_url)


def requests(namespace: str) -> str:
    """Return the path of a namespace's requests."""
    return REQUESTS.within(namespace)


def vm(namespace: str, name: str) -> str:
    """Return the path of a virtual machine."""
    return VMS.of(ObjectKey(namespace, name))


def template(format: Format, namespace: str, name: str) -> str:
    """Return the path of a template."""
    return templates(format).of(ObjectKey(namespace, name))


def explained(error: ClusterError, doing: str, *, unserved: str, api: ClusterClient, namespace: str) -> CommandError:
    """Return what an error means to the person whose command was `doing` something: one sentence, and what to do.

    `unserved` is what to do where the cluster does not know the kind of object that it was about.
    """
    said = str(error)
    match error:
        case ForbiddenError() if POLICY_SAYS in said:
            return CommandError(f"refused: {said.partition(POLICY_SAYS)[2]}")
        case ForbiddenError():
            return CommandError(
                f"you may not {doing}: {said}; ask for a role that lets you, such as edit in {namespace}"
            )
        case APINotFoundError():
            return CommandError(f"cannot {doing}: {unserved}")
        case NamespaceTerminatingError():
            return CommandError(
                f"cannot {doing}: the namespace {namespace} does not exist, or is being deleted ({said})"
            )
        case UnavailableError():
            return CommandError(f"cannot {doing}: no answer from {api.server} ({said}); kubectl cluster-info says more")
        case _:
            return CommandError(f"cannot {doing}: {said}")


def _object(answer: Response) -> dict[str, Any]:
    if answer.ok:
        return sound(answer.json())
    if answer.status == 401:
        raise CommandError("the cluster does not know you (401 Unauthorized): log in again, or name another --context")
    raise said_in_full(answer)


def sound(found: Any) -> dict[str, Any]:
    """Return an object with the metadata that every object has. Raises UnavailableError: something else answered."""
    metadata = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(metadata, dict) or any(type(metadata.get(field)) is not str for field in METADATA):
        raise UnavailableError("something that is no object; is it a Kubernetes API server?")
    return dict(found)


def said_in_full(answer: Response) -> ClusterError:
    """Return what an answer that is not ok means, in the server's own words."""
    error = error_from(answer)
    try:
        message = orjson.loads(answer.body)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return error
    if isinstance(message, str) and message:
        error.args = (message,)
    return error
