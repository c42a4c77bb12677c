"""Wait for a request: its states as they come, and what each of its reasons means to the user."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from atmpl.cli.client import ClusterClient, requests_path, require_object
from atmpl.controller.cluster import APINotFoundError, ForbiddenError, UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Reason
from atmpl.kube.reflector import Reflector
from atmpl.kube.stores import ObjectVersion, Store
from atmpl.kube.watch_events import StreamError, Synced, WatchTarget

FATAL_STATUSES = (401, 403, 404)  # HTTP statuses that no retry changes


@dataclass(frozen=True, slots=True)
class RequestState:
    """The state of a request at one moment."""

    request: dict[str, Any]
    reason: str = ""  # of the condition Ready; empty before the controller has written a status
    message: str = ""
    ready: bool = False
    stalled: bool = False  # a user or an administrator must act
    deleted: bool = False  # `request` is its last state

    @property
    def is_final(self) -> bool:
        """Return True if waiting longer is useless."""
        return self.ready or self.stalled or self.deleted


def parse_state(request: dict[str, Any], *, deleted: bool = False) -> RequestState:
    """Return the state of a request; fields of its status that cannot be parsed count as missing."""
    status = request.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    by_type = {each.get("type"): each for each in conditions or [] if isinstance(each, dict)}
    ready = by_type.get("Ready", {})
    return RequestState(
        request=request,
        reason=str(ready.get("reason", "")),
        message=str(ready.get("message", "")),
        ready=ready.get("status") == "True",
        stalled=by_type.get("Stalled", {}).get("status") == "True",
        deleted=deleted,
    )


async def watch_request(
    client: ClusterClient, created: dict[str, Any], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncGenerator[RequestState, None]:
    """Yield the states of the request `created` until it is deleted; otherwise without end.

    A server that does not respond is retried for as long as the caller waits. Raises ClusterError if the server denies
    the watch.
    """
    store = _RequestStore(created)
    metadata = created["metadata"]
    target = WatchTarget(requests_path(metadata["namespace"]), fields=f"metadata.name={metadata['name']}")
    reflector = Reflector(target, client.connection, store, random=Random(), sleep=sleep)  # noqa: S311 - for backoff
    start = Synced(str(metadata.get("resourceVersion", "")))
    task = asyncio.create_task(reflector.run(start, is_fatal=lambda error: error.status in FATAL_STATUSES))
    task.add_done_callback(lambda _: store.states.put_nowait(None))
    try:
        yield parse_state(created)
        while (state := await store.states.get()) is not None:
            yield state
            if state.deleted:
                return
        await task
    except StreamError as error:
        raise {403: ForbiddenError, 404: APINotFoundError}.get(error.status, UnavailableError)(str(error)) from None
    finally:
        task.cancel()
        await asyncio.wait({task})


class _RequestStore(Store):
    """The reflector's store for one request: each of its states goes to a queue."""

    def __init__(self, created: dict[str, Any]) -> None:
        super().__init__()
        self.states: asyncio.Queue[RequestState | None] = asyncio.Queue()
        self._last = created
        self._key = _object_version(created).key

    def __len__(self) -> int:
        return 1

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        request = _parse(data)
        if request["metadata"]["uid"] == self._last["metadata"]["uid"]:
            self._last = request
            self.states.put_nowait(parse_state(request))
        else:  # another request of the same name
            self._deleted()
        return _object_version(request)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        request = _parse(data)
        if request["metadata"]["uid"] == self._last["metadata"]["uid"]:
            self._last = request
        self._deleted()
        return _object_version(request)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        if self._key not in keys:
            self._deleted()

    def _deleted(self) -> None:
        self.states.put_nowait(parse_state(self._last, deleted=True))


def _parse(data: msgspec.Raw) -> dict[str, Any]:
    try:
        return require_object(orjson.loads(bytes(data)))
    except (orjson.JSONDecodeError, UnavailableError) as error:
        raise msgspec.DecodeError(str(error)) from None


def _object_version(request: dict[str, Any]) -> ObjectVersion:
    metadata = request["metadata"]
    return ObjectVersion(ObjectKey(metadata["namespace"], metadata["name"]), str(metadata.get("resourceVersion", "")))


class Remedy(NamedTuple):
    """What to do, and the commands for it."""

    text: str
    commands: tuple[str, ...]


class Advice(NamedTuple):
    """A reason, explained: a sentence, and its remedies.

    In the texts, {vm} is the virtual machine, {there} its namespace if that is another one, {vms} kubectl's option for
    it; {request} and {template} are names, {kind} the template's kind, {api} its API, {other} the other `--format`.
    Options of `instantiate` are {required} for required parameters, and {elsewhere} for a template in another namespace
    than the virtual machine. Commands are kubectl's, or begin with `atmpl`, and get the options that were typed; those
    that begin with `kubectl` do not.
    """

    sentence: str
    remedies: tuple[Remedy, ...]
    quotes_message: bool = False  # the controller's message has details


_DELETE_REQUEST: Final = ("delete vmtreq {request}",)

ADVICE: Final[dict[Reason, Advice]] = {
    Reason.RENDERED: Advice(
        "the template exists",
        (
            Remedy(
                "Show its parameters, or create a virtual machine from it:",
                (
                    "atmpl instantiate --template {template}{elsewhere} --print-params",
                    "atmpl instantiate --template {template}{elsewhere}{required}",
                ),
            ),
        ),
    ),
    Reason.SOURCE_NOT_FOUND: Advice(
        "the virtual machine {vm} does not exist{there}",
        (
            Remedy(
                "The request waits for it. List the virtual machines; one in another namespace requires "
                "--vm-namespace:",
                ("get vm{vms}",),
            ),
        ),
    ),
    Reason.TARGET_CONFLICT: Advice(
        "the {kind} {template} exists and belongs to another owner",
        (
            Remedy(
                "To replace the template, delete it, and the request continues within a minute:",
                ("delete {kind} {template}",),
            ),
            Remedy("To use another --name, delete the request first:", _DELETE_REQUEST),
        ),
        quotes_message=True,
    ),
    Reason.FORMAT_UNAVAILABLE: Advice(
        "this cluster does not serve {api}",
        (
            Remedy(
                "An administrator installs that API, and the request continues. Or use --format {other}; first delete "
                "the request:",
                _DELETE_REQUEST,
            ),
        ),
    ),
    Reason.CROSS_NAMESPACE_DENIED: Advice(
        "a virtual machine in another namespace requires atmpl's admission policy",
        (Remedy("Do what the message advises. To create the request again, first delete it:", _DELETE_REQUEST),),
        quotes_message=True,
    ),
    Reason.POLICY_MISSING: Advice(
        "the cluster's admission policy for requests is not in force",
        (
            Remedy(
                "An administrator applies config/policy of atmpl's release; then the request continues within a "
                "minute. Check:",
                ("get validatingadmissionpolicies,validatingadmissionpolicybindings",),
            ),
        ),
        quotes_message=True,
    ),
    Reason.ACCESS_REVOKED: Advice(
        "the right to get the virtual machine {vm} was lost, or cannot be checked",
        (
            Remedy(
                "If the right was lost, request it again, and the request continues within 10 minutes. Check it:",
                ("auth can-i get virtualmachines.kubevirt.io/{vm}{vms}",),
            ),
            Remedy(
                "If the virtual machine was created again, delete the request and create it again:", _DELETE_REQUEST
            ),
        ),
        quotes_message=True,
    ),
    Reason.INVALID_SOURCE: Advice(
        "the virtual machine {vm} cannot become a template",
        (
            Remedy(
                "Change the field that the message names, and the request continues:",
                ("edit vm {vm}{vms}",),
            ),
        ),
        quotes_message=True,
    ),
    Reason.TOO_LARGE: Advice(
        "the template would be larger than a cluster can store",
        (
            Remedy(
                "Make the virtual machine smaller, and the request continues; long userData can move to a Secret:",
                ("edit vm {vm}{vms}",),
            ),
        ),
        quotes_message=True,
    ),
    Reason.UNSUPPORTED: Advice(
        "the atmpl of this cluster does not support the request",
        (
            Remedy(
                "An administrator upgrades it. Or create the request without the fields that the message names; first "
                "delete it:",
                _DELETE_REQUEST,
            ),
        ),
        quotes_message=True,
    ),
    Reason.FORBIDDEN: Advice(
        "the atmpl of this cluster lacks a permission, and retries",
        (
            Remedy(
                "An administrator applies config/rbac of atmpl's release; then the request continues. See the status:",
                ("get vmtreq {request} -o yaml",),
            ),
        ),
        quotes_message=True,
    ),
    Reason.FAILED: Advice(
        "an error occurred, and is retried",
        (
            Remedy(
                "Wait a little. The controller's log has details for an administrator:",
                ("kubectl logs -n atmpl-system deployment/atmpl-controller",),
            ),
        ),
        quotes_message=True,
    ),
}

NO_STATUS: Final = Advice(
    "the controller has not processed the request yet",
    (
        Remedy(
            "The request waits for it. An administrator checks that it runs:",
            ("kubectl get pods -n atmpl-system",),
        ),
    ),
)


def advice(reason: str) -> Advice:
    """Return the explanation of a condition's reason."""
    if not reason:
        return NO_STATUS
    try:
        return ADVICE[Reason(reason)]
    except (ValueError, KeyError):
        return Advice(
            "this version of atmpl does not know this reason",
            (Remedy("See the whole status:", ("get vmtreq {request} -o yaml",)),),
            quotes_message=True,
        )
