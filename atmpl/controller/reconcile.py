"""The story of a request. Level-triggered: it looks at what is, never at what happened. Design section 3."""

from datetime import datetime
from time import perf_counter
from typing import Any

from atmpl.controller import vm
from atmpl.controller.adopt import made_earlier, release
from atmpl.controller.cluster import Cluster, NotServedError, UnavailableError
from atmpl.controller.hindrance import LOOK_AGAIN, is_hindered, unavailable
from atmpl.controller.outcome import Gone, Outcome, Reason, Refused, Released, Unchanged, Waiting
from atmpl.controller.publish import Made, publish
from atmpl.controller.request import Asked, Request
from atmpl.controller.version import is_older
from atmpl.template import Owner, RenderError, render


async def reconcile(request: Request, cluster: Cluster, now: datetime) -> Outcome:
    """Do what is left to do for `request`, and return what was found. Raises ClusterError where a call failed."""
    asked = request.asked
    if request.deleting:
        return Gone()
    if asked is None:  # what another version finished is not for this one to take back
        finished = request.rendered and not request.told.digest
        return Unchanged() if finished else Refused(Reason.UNSUPPORTED, request.unsupported)
    if request.finished:
        return await _expire(request, asked, cluster, now)
    try:
        if request.told.digest and not asked.keep_in_step and await release(request, asked, cluster):
            return Released()
        if _in_step(request, asked, cluster):
            return Unchanged()
        if await is_hindered(request, asked, cluster):
            return Unchanged(again=LOOK_AGAIN[Reason(request.told.reason)])
        match await _make(request, asked, cluster):
            case Waiting(reason=Reason.SOURCE_NOT_FOUND) as outcome:
                return await made_earlier(request, asked, cluster) or outcome
            case Refused() as outcome if not asked.keep_in_step:
                return await made_earlier(request, asked, cluster) or outcome
            case outcome:
                return outcome
    except NotServedError:
        return unavailable(asked)


def _in_step(request: Request, asked: Asked, cluster: Cluster) -> bool:
    """OnChange: whether the streams show the VM and the template that the status speaks of. Costs no call."""
    if not request.rendered:
        return False
    told = request.told
    seen = cluster.vm_digest(asked.source)
    there = cluster.template_version(asked.format, request.template_key(asked))
    if seen is None or told.source_gone:
        return seen is None and told.source_gone and there is not None
    return seen == told.digest and there == told.template_version


async def _make(request: Request, asked: Asked, cluster: Cluster) -> Outcome:
    """Make the template of the VM as it is now."""
    try:
        found = await _source(request, asked, cluster)
    except NotServedError as error:
        if cluster.vm_digest(asked.source) is not None:  # a server that has just started, say: no stream will wake us
            raise UnavailableError(
                f"no VirtualMachine is served, though there were some a moment ago: {error}"
            ) from None
        return _without("This cluster serves no VirtualMachine: install KubeVirt")
    if found is None:
        return _without(f"There is no VirtualMachine {asked.source}")
    proved = _proved(found, request, asked)
    del found  # for the reason that Made gives
    return proved if isinstance(proved, Refused) else await publish(request, asked, proved, cluster)


def _proved(found: dict[str, Any], request: Request, asked: Asked) -> Made | Refused:
    began = perf_counter()
    try:
        rendered = render(
            found,
            format=asked.format,
            name=asked.template,
            namespace=request.key.namespace,
            options=asked.options,
            owner=Owner(request.key.namespace, request.key.name, request.uid, asked.keep_in_step),
        )
    except RenderError as error:
        return Refused(Reason.INVALID_SOURCE, f"VM {asked.source} cannot be made a template: {error}")
    return Made.of(found, rendered, asked, perf_counter() - began)


async def _source(request: Request, asked: Asked, cluster: Cluster) -> dict[str, Any] | None:
    """Read the VM; never an older one than was rendered already, which a cache that lags might give."""
    found = await cluster.vm(asked.source)
    if found is not None and is_older(vm.source(found).version, request.told.source_version):
        found = await cluster.vm(asked.source, fresh=True)
    return found


def _without(why: str) -> Outcome:
    return Waiting(Reason.SOURCE_NOT_FOUND, f"{why}; the template is made as soon as there is one")


async def _expire(request: Request, asked: Asked, cluster: Cluster, now: datetime) -> Outcome:
    """Once, and done: the template is its user's; only the request may be deleted, when its time has come."""
    if asked.ttl is None:
        return Unchanged()
    assert request.told.ready_since is not None, "what is finished says since when"
    left = asked.ttl - (now - request.told.ready_since).total_seconds()
    if left > 0:
        return Unchanged(again=left)
    await cluster.delete_request(request)
    return Gone()
