"""Reconcile one request: authorize it, render and publish its template, update its status.

Level-triggered: the decisions depend on the current state, never on the event.
"""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

from atmpl.controller import ownership, vm_digest
from atmpl.controller.authorization import PolicyCheck, authorize, authorize_vm
from atmpl.controller.cluster import (
    UNKNOWN,
    AlreadyExistsError,
    APINotFoundError,
    Cluster,
    ClusterError,
    ConflictError,
    ForbiddenError,
    NamespaceTerminatingError,
    StreamState,
    UnavailableError,
    Unknown,
)
from atmpl.controller.objects import is_older_version
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Detached,
    Expired,
    InternalError,
    Outcome,
    Postponed,
    Reason,
    Rejected,
    RequestGone,
    Retry,
    UpToDate,
    access_not_rechecked,
)
from atmpl.controller.ownership import format_unavailable, is_still_blocked
from atmpl.controller.publish import EncodedTemplate, detach, publish, source_deleted
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.status import next_status
from atmpl.template import RenderError, RenderWarning, TemplateOwner, TemplateTooLargeError, render

log = logging.getLogger(__name__)

LARGE_TEMPLATE_BYTES = 100_000  # of JSON; a reconcile holds five to twelve times as much while it writes the template
NAMESPACE_RECHECK_SECONDS = 180.0  # between checks of a request in a terminating namespace
API_RECHECK_SECONDS = 1.0  # at least, before the retry of a 404 that the stream of this API does not confirm
SOURCE_RECHECK_SECONDS = 60.0  # between reads of a VM that does not exist, while the stream of VMs is not open


class ReconcileResult(NamedTuple):
    """The outcome, and the state of the admission policy if it was read."""

    outcome: Outcome
    policy_check: PolicyCheck | None = None


async def reconcile(
    request: Request,
    cluster: Cluster,
    *,
    failures: int = 0,
    policy_required: bool = True,
    claim_large: Callable[[], bool] = lambda: True,
) -> ReconcileResult:
    """Reconcile a request and write its status if it changed. Raises nothing except cancellation.

    `failures` counts the consecutive failures of this request so far. Without `policy_required`, a source in the
    request's namespace needs no admission policy. `claim_large` is called if the template is large; it returns False
    if the request must wait because too many such templates are being written.
    """
    result = ReconcileResult(UpToDate())
    try:
        result = await _authorize_and_reconcile(
            request, cluster, policy_required=policy_required, claim_large=claim_large
        )
        if result.outcome.is_quiet(failures):
            return result
        status = next_status(request, result.outcome, cluster.now())
        if status is not None:
            await cluster.write_status(request, status)
    except ClusterError as error:
        return result._replace(outcome=outcome_of_error(error))
    except Exception as error:  # a bug that one request triggers must not stop the worker
        log.exception("status not written", extra={"request": str(request.key)})
        return result._replace(outcome=_internal_error(error))
    return result


async def _authorize_and_reconcile(
    request: Request, cluster: Cluster, *, policy_required: bool, claim_large: Callable[[], bool]
) -> ReconcileResult:
    reconciler = _Reconciler(request, cluster, policy_required=policy_required, claim_large=claim_large)
    try:
        outcome = await reconciler.reconcile()
    except ClusterError as error:
        outcome = outcome_of_error(error)
    except Exception as error:  # a bug that one request triggers must not stop the worker
        log.exception("reconcile failed", extra={"request": str(request.key)})
        outcome = _internal_error(error)
    return ReconcileResult(outcome, reconciler.policy_check)


class _Reconciler:
    """One reconcile of one request."""

    def __init__(
        self, request: Request, cluster: Cluster, *, policy_required: bool, claim_large: Callable[[], bool]
    ) -> None:
        self._request = request
        self._cluster = cluster
        self._policy_required = policy_required
        self._claim_large = claim_large
        self.policy_check: PolicyCheck | None = None

    async def reconcile(self) -> Outcome:
        """Do what remains to be done. Raises ClusterError."""
        request = self._request
        spec = request.spec
        if request.is_deleting:
            return RequestGone()
        if spec is None:  # a request that another version finished stays finished
            is_finished = request.is_rendered and not request.status.digest
            return UpToDate() if is_finished else Rejected(Reason.UNSUPPORTED, request.unsupported)
        if request.is_finished:
            return await self._expire(spec)
        if not self._cluster.serves_namespace(spec.source.namespace):
            return _namespace_not_served(request, spec)
        try:
            return await self._reconcile_template(spec)
        except APINotFoundError as error:
            if self._cluster.template_stream(spec.format, request.key.namespace) is not StreamState.NOT_SERVED:
                # an API server that has just started
                problem = f"404 for {spec.format.api_version}, but its watch did not answer 404: {error}"
                raise UnavailableError(problem, API_RECHECK_SECONDS) from None
            return format_unavailable(spec)

    async def _reconcile_template(self, spec: RequestSpec) -> Outcome:
        request, cluster = self._request, self._cluster
        if request.status.digest and not spec.refresh_on_change and await detach(request, spec, cluster):
            return Detached()
        if self._needs_no_render(spec):
            return UpToDate()
        if await is_still_blocked(request, spec, cluster):
            return UpToDate(requeue_after=ownership.RECHECK_SECONDS)
        return await self._render_and_publish(spec)

    def _needs_no_render(self, spec: RequestSpec) -> bool:
        """Return True if no render is needed now. Makes no call.

        That is: the stores show what the status describes, the VM was refused before, or a refresh waits for the first
        list of a stream. The request is enqueued when that is complete.
        """
        request, cluster = self._request, self._cluster
        status = request.status
        digest = cluster.vm_digest(spec.source)
        if self._is_refused(digest):
            return True
        if not (spec.refresh_on_change and request.is_rendered):
            return False
        streams = (
            cluster.vm_stream(spec.source.namespace),
            cluster.template_stream(spec.format, request.key.namespace),
        )
        if StreamState.SYNCING in streams:
            return True
        if digest is UNKNOWN:
            return False
        template = cluster.template_version(spec.format, request.template_key(spec))
        if digest is None or status.source_gone:
            return digest is None and status.source_gone and template is not None
        return digest == status.digest and template == status.template_version

    def _is_refused(self, digest: str | Unknown | None) -> bool:
        """Return True if a VM of this digest could not be rendered for this request: it is not rendered again."""
        status = self._request.status
        return status.reason in {Reason.INVALID_SOURCE, Reason.TOO_LARGE} and digest == status.refused_digest != ""

    async def _render_and_publish(self, spec: RequestSpec) -> Outcome:
        request, cluster = self._request, self._cluster
        access = await authorize(request, spec, cluster, policy_required=self._policy_required)
        self.policy_check = access.policy_check
        if access.denied:
            return access.denied
        try:
            vm = await self._read_vm(spec)
        except APINotFoundError as error:
            if cluster.vm_stream(spec.source.namespace) is not StreamState.NOT_SERVED:
                # an API server that has just started
                problem = f"404 for VirtualMachine, but its watch did not answer 404: {error}"
                raise UnavailableError(problem, API_RECHECK_SECONDS) from None
            return self._source_not_found(spec, "This cluster does not serve VirtualMachine: install KubeVirt")
        if vm is None:
            gone = await source_deleted(request, spec, cluster)
            return gone or self._source_not_found(spec, f"VirtualMachine {spec.source} does not exist")
        metadata = vm["metadata"]
        created = metadata.get("creationTimestamp")
        access = await authorize_vm(access, request, spec, cluster, uid=metadata["uid"], created=created)
        if access.denied:
            return access.denied
        if request.status.refused_digest and self._is_refused(vm_digest.digest_of(vm)):
            return UpToDate()
        is_unchecked = spec.refresh_on_change and request.crosses_namespaces and access.requester is None
        encoded = self._render(vm, spec, (access_not_rechecked(spec.source),) if is_unchecked else ())
        del vm  # free it before the API call: its dicts would otherwise be out of the CPU cache
        if isinstance(encoded, Rejected):
            return encoded
        is_large = len(encoded.body) > LARGE_TEMPLATE_BYTES
        cluster.record_size(spec.source, is_large=is_large)
        if is_large and not self._claim_large():
            return Postponed()
        return await publish(request, spec, encoded, cluster)

    async def _read_vm(self, spec: RequestSpec) -> dict[str, Any] | None:
        """Read the VM.

        A first rendering needs a VM that is at least as new as the request, so it does not use the server's watch
        cache. A refresh can: the next event corrects it. It must not be older than the VM that was rendered before.
        """
        is_refresh = bool(self._request.status.digest)
        vm = await self._cluster.vm(spec.source, uncached=not is_refresh)
        rendered_version = self._request.status.source_version
        if (
            vm is not None
            and is_refresh
            and is_older_version(vm_digest.source_of(vm).resource_version, rendered_version)
        ):
            del vm  # free it before the call
            vm = await self._cluster.vm(spec.source, uncached=True)
        return vm

    def _render(
        self, vm: dict[str, Any], spec: RequestSpec, warnings: tuple[RenderWarning, ...]
    ) -> EncodedTemplate | Rejected:
        began = perf_counter()
        key = self._request.key
        try:
            rendering = render(
                vm,
                format=spec.format,
                name=spec.template_name,
                namespace=key.namespace,
                options=spec.options,
                metadata=spec.metadata,
                api_version=self._cluster.template_api_version(spec.format, key.namespace),
                owner=TemplateOwner(key.namespace, key.name, self._request.uid, spec.refresh_on_change),
            )
        except RenderError as error:
            reason = Reason.TOO_LARGE if isinstance(error, TemplateTooLargeError) else Reason.INVALID_SOURCE
            problem = f"VM {spec.source} cannot be rendered as a template: {error}"
            return Rejected(reason, problem, refused_digest=vm_digest.digest_of(vm))
        return EncodedTemplate.from_render(vm, rendering, spec, perf_counter() - began, warnings)

    def _source_not_found(self, spec: RequestSpec, problem: str) -> Blocked:
        """Return the outcome SourceNotFound. If the stream of VMs is not open, the VM is read again later."""
        is_watched = self._cluster.vm_stream(spec.source.namespace) in {StreamState.WATCHING, StreamState.NOT_SERVED}
        return Blocked(
            Reason.SOURCE_NOT_FOUND,
            f"{problem}. The template is created when the VM exists",
            requeue_after=None if is_watched else SOURCE_RECHECK_SECONDS,
        )

    async def _expire(self, spec: RequestSpec) -> Outcome:
        """Delete a finished request if its TTL has passed. Its template is not touched."""
        finished_at = self._request.status.finished_at
        if spec.ttl_seconds is None or finished_at is None:
            return UpToDate()
        left = spec.ttl_seconds - (self._cluster.now() - finished_at).total_seconds()
        if left > 0:
            return UpToDate(requeue_after=left)
        await self._cluster.delete_request(self._request)
        return Expired()


def outcome_of_error(error: ClusterError) -> Outcome:
    """Return the outcome of a failed call, for all calls alike.

    A template that is too large, and a format that is not served, are handled where the template is published.
    """
    match error:
        case NamespaceTerminatingError():
            return RequestGone(requeue_after=NAMESPACE_RECHECK_SECONDS)
        case ConflictError() | AlreadyExistsError():
            return Conflict(str(error))
        case ForbiddenError():
            return Retry(Reason.FORBIDDEN, f"The API server denied a call of the controller: {error}")
        case UnavailableError():
            return Retry(Reason.FAILED, f"The API server did not answer as expected: {error}", error.retry_after)
        case _:
            return Retry(Reason.FAILED, f"The API server rejected a call of the controller: {error}")


def _internal_error(error: Exception) -> InternalError:
    return InternalError(
        Reason.FAILED, f"Internal error of the controller ({type(error).__name__}); the request is retried"
    )


def _namespace_not_served(request: Request, spec: RequestSpec) -> Rejected:
    return Rejected(
        Reason.UNSUPPORTED,
        f"VM {spec.source} is in a namespace that this controller does not serve; create the request again for a VM in "
        f"{request.key.namespace}, or have the controller serve {spec.source.namespace} (--namespace)",
    )
