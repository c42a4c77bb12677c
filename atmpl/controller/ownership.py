"""Whose a template is: that of the request whose uid it bears as a label, and of nobody else. Design section 3."""

from enum import Enum, auto
from typing import Any

from atmpl.controller.cluster import APINotFoundError, Cluster, TemplateMeta, UnavailableError
from atmpl.controller.request import Request
from atmpl.template.template_metadata import REQUEST, REQUEST_UID


class Ownership(Enum):
    """To whom a template of the wanted name belongs."""

    OWNED = auto()
    ORPHANED = auto()  # names this request, and no living one has its uid: left by a race
    PREVIOUS_REQUEST = auto()  # made for a request of the same name that is no more
    UNOWNED = auto()


def is_owned(meta: TemplateMeta, request: Request) -> bool:
    """Whether a template bears the request's uid."""
    return meta.labels.get(REQUEST_UID) == request.uid


async def classify_ownership(meta: TemplateMeta, request: Request, cluster: Cluster) -> Ownership:
    """Judge a template by its labels, its provenance and its age.

    A stale replica sees a template of the request's successor just as it would see a stray: so the cluster is asked
    whether this request is still there before anything of that kind is taken over.
    """
    if is_owned(meta, request):
        return Ownership.OWNED
    if REQUEST_UID not in meta.labels or meta.annotations.get(REQUEST) != str(request.key):
        return Ownership.UNOWNED
    if meta.created < request.created:
        return Ownership.PREVIOUS_REQUEST
    return Ownership.ORPHANED if await is_current(request, cluster) else Ownership.UNOWNED


async def is_current(request: Request, cluster: Cluster) -> bool:
    """Return whether the request is still there and asks for the same: whoever has slept may believe so wrongly.

    Raises ClusterError.
    """
    try:
        return await cluster.is_current(request)
    except APINotFoundError as error:  # which tells nothing of the template's format
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
