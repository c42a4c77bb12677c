"""The story of a request. Level-triggered: it looks at what is, never at what happened. Design section 3."""

from datetime import datetime
from time import perf_counter
from typing import Any

from atmpl.controller import vm_digest
from atmpl.controller.adopt import find_existing_template, release
from atmpl.controller.cluster import APINotFoundError, Cluster, UnavailableError
from atmpl.controller.hindrance import LOOK_AGAIN, is_still_blocked, unavailable
from atmpl.controller.outcome import Blocked, Detached, Outcome, Reason, Rejected, RequestGone, UpToDate
from atmpl.controller.publish import RenderedTemplate, publish
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.version import is_older_version
from atmpl.template import RenderError, TemplateOwner, render


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
    try:
        if request.status.digest and not spec.refresh_on_change and await release(request, spec, cluster):
            return Detached()
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
    except APINotFoundError:
        return unavailable(spec)


def _in_step(request: Request, spec: RequestSpec, cluster: Cluster) -> bool:
    """OnChange: whether the streams show the VM and the template that the status speaks of. Costs no call."""
    if not request.rendered:
        return False
    status = request.status
    seen = cluster.vm_digest(spec.source)
    there = cluster.template_version(spec.format, request.template_key(spec))
    if seen is None or status.source_gone:
        return seen is None and status.source_gone and there is not None
    return seen == status.digest and there == status.template_version


async def _make(request: Request, spec: RequestSpec, cluster: Cluster) -> Outcome:
    """Make the template of the VM as it is now."""
    try:
        found = await _source(request, spec, cluster)
    except APINotFoundError as error:
        if cluster.vm_digest(spec.source) is not None:  # a server that has just started, say: no stream will wake us
            raise UnavailableError(
                f"no VirtualMachine is served, though there were some a moment ago: {error}"
            ) from None
        return _without("This cluster serves no VirtualMachine: install KubeVirt")
    if found is None:
        return _without(f"There is no VirtualMachine {spec.source}")
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
    except RenderError as error:
        return Rejected(Reason.INVALID_SOURCE, f"VM {spec.source} cannot be made a template: {error}")
    return RenderedTemplate.of(found, rendered, spec, perf_counter() - began)


async def _source(request: Request, spec: RequestSpec, cluster: Cluster) -> dict[str, Any] | None:
    """Read the VM; never an older one than was rendered already, which a cache that lags might give."""
    found = await cluster.vm(spec.source)
    if found is not None and is_older_version(vm_digest.source(found).version, request.status.source_version):
        found = await cluster.vm(spec.source, fresh=True)
    return found


def _without(why: str) -> Outcome:
    return Blocked(Reason.SOURCE_NOT_FOUND, f"{why}; the template is made as soon as there is one")


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
