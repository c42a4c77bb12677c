"""The story of a request. Level-triggered: it looks at what is, never at what happened. Design section 3."""

from datetime import datetime
from time import perf_counter
from typing import Any

from atmpl.controller import vm_digest
from atmpl.controller.adopt import find_existing_template, release
from atmpl.controller.cluster import UNKNOWN, APINotFoundError, Cluster, StreamState, UnavailableError
from atmpl.controller.hindrance import LOOK_AGAIN, is_still_blocked, unavailable
from atmpl.controller.outcome import Blocked, Detached, Outcome, Reason, Rejected, RequestGone, UpToDate
from atmpl.controller.publish import RenderedTemplate, publish
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.version import is_older_version
from atmpl.template import RenderError, TemplateOwner, TemplateTooLargeError, render

RECHECK = 1.0  # seconds until an API that answered 404 is called again, unless its stream agrees
SOURCE_RECHECK = 60.0  # seconds between two reads of a VM that does not exist, while the stream of VMs is not open


async def reconcile(request: Request, cluster: Cluster, now: datetime) -> Outcome:
    """Do what is left to do for `request`, and return what was found. Raises ClusterError where a call failed."""
    spec = request.spec
    if request.deleting:
        return RequestGone()
    if spec is None:  # what another version finished is not for this one to take back
        finished = request.rendered and not request.status.digest
        return UpToDate() if finished else Rejected(Reason.UNSUPPORTED, request.unsupported)
    if request.finished:
        return await _expire(request, spec, cluster, now)
    if not cluster.serves_namespace(spec.source.namespace):
        return Rejected(
            Reason.UNSUPPORTED,
            f"VM {spec.source} is in a namespace that this controller does not serve; create the request again "
            f"for a VM in {request.key.namespace}, or have the controller serve {spec.source.namespace} (--namespace)",
        )
    try:
        if request.status.digest and not spec.refresh_on_change and await release(request, spec, cluster):
            return Detached()
        if spec.refresh_on_change and request.rendered:
            if StreamState.SYNCING in set(_streams(request, spec, cluster)):
                return UpToDate()  # it is enqueued when both lists are complete
            if _in_step(request, spec, cluster):
                return UpToDate()
        if await is_still_blocked(request, spec, cluster):
            return UpToDate(again=LOOK_AGAIN[Reason(request.status.reason)])
        match await _make(request, spec, cluster):
            case Blocked(reason=Reason.SOURCE_NOT_FOUND) as outcome:
                return await find_existing_template(request, spec, cluster) or outcome
            case Rejected() as outcome if not spec.refresh_on_change:
                return await find_existing_template(request, spec, cluster) or outcome
            case outcome:
                return outcome
    except APINotFoundError as error:
        if (
            cluster.template_stream(spec.format, request.key.namespace) is not StreamState.NOT_SERVED
        ):  # an API server that has just started
            raise UnavailableError(f"{spec.format.api_version} was served a moment ago: {error}", RECHECK) from None
        return unavailable(spec)


def _streams(request: Request, spec: RequestSpec, cluster: Cluster) -> tuple[StreamState, StreamState]:
    """Return the states of the streams that a refresh depends on."""
    return cluster.vm_stream(spec.source.namespace), cluster.template_stream(spec.format, request.key.namespace)


def _in_step(request: Request, spec: RequestSpec, cluster: Cluster) -> bool:
    """OnChange: return True if the streams show the VM and the template of the status. Makes no call."""
    status = request.status
    seen = cluster.vm_digest(spec.source)
    there = cluster.template_version(spec.format, request.template_key(spec))
    if seen is UNKNOWN:
        return False
    if seen is None or status.source_gone:
        return seen is None and status.source_gone and there is not None
    return seen == status.digest and there == status.template_version


async def _make(request: Request, spec: RequestSpec, cluster: Cluster) -> Outcome:
    """Make the template of the VM as it is now."""
    try:
        found = await _source(request, spec, cluster)
    except APINotFoundError as error:
        if (
            cluster.vm_stream(spec.source.namespace) is not StreamState.NOT_SERVED
        ):  # an API server that has just started
            raise UnavailableError(f"VirtualMachines were served a moment ago: {error}", RECHECK) from None
        return _without("This cluster serves no VirtualMachine: install KubeVirt", spec, cluster)
    if found is None:
        return _without(f"There is no VirtualMachine {spec.source}", spec, cluster)
    proved = _proved(found, request, spec)
    del found  # for the reason that Made gives
    return proved if isinstance(proved, Rejected) else await publish(request, spec, proved, cluster)


def _proved(found: dict[str, Any], request: Request, spec: RequestSpec) -> RenderedTemplate | Rejected:
    began = perf_counter()
    try:
        rendered = render(
            found,
            format=spec.format,
            name=spec.template,
            namespace=request.key.namespace,
            options=spec.options,
            owner=TemplateOwner(request.key.namespace, request.key.name, request.uid, spec.refresh_on_change),
        )
    except TemplateTooLargeError as error:
        return Rejected(Reason.TOO_LARGE, f"VM {spec.source} cannot be made a template: {error}")
    except RenderError as error:
        return Rejected(Reason.INVALID_SOURCE, f"VM {spec.source} cannot be made a template: {error}")
    return RenderedTemplate.of(found, rendered, spec, perf_counter() - began)


async def _source(request: Request, spec: RequestSpec, cluster: Cluster) -> dict[str, Any] | None:
    """Read the VM, for a first rendering from etcd: the watch cache can be older than the request.

    A refresh reads from the cache, because the next event corrects it, but never an older VM than was rendered.
    """
    found = await cluster.vm(spec.source, fresh=not (spec.refresh_on_change and request.rendered))
    if found is not None and is_older_version(vm_digest.source(found).version, request.status.source_version):
        found = await cluster.vm(spec.source, fresh=True)
    return found


def _without(why: str, spec: RequestSpec, cluster: Cluster) -> Outcome:
    """Return that there is no VM. The stream shows when it appears; while it is not open, it is checked again."""
    is_watched = cluster.vm_stream(spec.source.namespace) in {StreamState.WATCHING, StreamState.NOT_SERVED}
    message = f"{why}; the template is made as soon as there is one"
    return Blocked(Reason.SOURCE_NOT_FOUND, message, None if is_watched else SOURCE_RECHECK)


async def _expire(request: Request, spec: RequestSpec, cluster: Cluster, now: datetime) -> Outcome:
    """Once, and done: the template is its user's; only the request may be deleted, when its time has come."""
    if spec.ttl is None:
        return UpToDate()
    assert request.status.ready_since is not None, "what is finished says since when"
    left = spec.ttl - (now - request.status.ready_since).total_seconds()
    if left > 0:
        return UpToDate(again=left)
    await cluster.delete_request(request)
    return RequestGone()
