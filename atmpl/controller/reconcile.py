"""The story of a request. Level-triggered: it looks at what is, never at what happened. Design section 3."""

from datetime import datetime

from atmpl.controller import publish, vm
from atmpl.controller.cluster import Cluster, NotServedError
from atmpl.controller.outcome import (
    Gone,
    Outcome,
    Reason,
    Refused,
    Released,
    SourceGone,
    Unchanged,
    Waiting,
)
from atmpl.controller.request import Asked, Request
from atmpl.template import Owner, RenderError, render


async def reconcile(request: Request, cluster: Cluster, now: datetime) -> Outcome:
    """Do what is left to do for `request`, and return what was found. Raises ClusterError where a call failed."""
    asked = request.asked
    if request.deleting:
        return Gone()
    if asked is None:
        return Refused(Reason.UNSUPPORTED, request.unsupported)
    if request.finished:
        return await _expire(request, asked, cluster, now)
    if request.rendered and not asked.keep_in_step:
        await publish.release(request, asked, cluster)
        return Released()
    if _in_step(request, asked, cluster):
        return Unchanged()
    if await publish.is_taken_still(request, asked, cluster):
        return Unchanged(again=publish.LOOK_AGAIN)

    try:
        found = await cluster.vm(asked.source)
    except NotServedError:
        return _without_source(request, asked, "This cluster serves no VirtualMachine: install KubeVirt")
    if found is None:
        return _without_source(request, asked, f"There is no VirtualMachine {asked.source}")
    source = vm.source(found)
    owner = Owner(request.key.namespace, request.key.name, request.uid, asked.keep_in_step)
    try:
        made = render(
            found,
            format=asked.format,
            name=asked.template,
            namespace=request.key.namespace,
            options=asked.options,
            owner=owner,
        )
    except RenderError as error:
        return Refused(Reason.INVALID_SOURCE, f"VM {asked.source} cannot be made a template: {error}")
    return await publish.publish(request, asked, publish.Made(made, source, vm.digest_of(found)), cluster)


def _in_step(request: Request, asked: Asked, cluster: Cluster) -> bool:
    """OnChange: whether the streams show the VM and the template that the status speaks of. Costs no call."""
    if not request.rendered:
        return False
    seen = cluster.vm_digest(asked.source)
    if seen is None:
        return request.told.source_gone
    there = cluster.template_version(asked.format, request.template_key(asked))
    return seen == request.told.digest and there == request.told.template_version and not request.told.source_gone


def _without_source(request: Request, asked: Asked, why: str) -> Outcome:
    if request.rendered:
        return SourceGone(asked.source)
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
