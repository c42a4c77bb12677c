"""Whose a template is: that of the request whose uid it bears as a label, and of nobody else. Design section 3."""

from enum import Enum, auto
from typing import Any

from atmpl.controller.cluster import Cluster, NotServedError, TemplateMeta, UnavailableError
from atmpl.controller.request import Request
from atmpl.template.provenance import REQUEST, REQUEST_UID


class Whose(Enum):
    """To whom a template of the wanted name belongs."""

    OURS = auto()
    STRAY = auto()  # names this request, and no living one has its uid: left by a race
    EARLIER = auto()  # made for a request of the same name that is no more
    FOREIGN = auto()


def is_ours(meta: TemplateMeta, request: Request) -> bool:
    """Whether a template bears the request's uid."""
    return meta.labels.get(REQUEST_UID) == request.uid


async def whose(meta: TemplateMeta, request: Request, cluster: Cluster) -> Whose:
    """Judge a template by its labels, its provenance and its age.

    A stale replica sees a template of the request's successor just as it would see a stray: so the cluster is asked
    whether this request is still there before anything of that kind is taken over.
    """
    if is_ours(meta, request):
        return Whose.OURS
    if REQUEST_UID not in meta.labels or meta.annotations.get(REQUEST) != str(request.key):
        return Whose.FOREIGN
    if meta.created < request.created:
        return Whose.EARLIER
    return Whose.STRAY if await is_current(request, cluster) else Whose.FOREIGN


async def is_current(request: Request, cluster: Cluster) -> bool:
    """Return whether the request is still there and asks for the same: whoever has slept may believe so wrongly.

    Raises ClusterError.
    """
    try:
        return await cluster.is_current(request)
    except NotServedError as error:  # which tells nothing of the template's format
        raise UnavailableError(f"requests are not served: {error}") from None


def meta_of(template: dict[str, Any]) -> TemplateMeta:
    """Return what of a whole template decides whose it is."""
    metadata = template["metadata"]
    return TemplateMeta(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        created=metadata["creationTimestamp"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
    )
