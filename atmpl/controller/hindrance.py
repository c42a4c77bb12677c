"""What is in the way of a template: how it is said, and when it is looked at again."""

from atmpl.controller.cluster import APINotFoundError, Cluster, TemplateMeta
from atmpl.controller.outcome import Blocked, Reason
from atmpl.controller.ownership import Ownership, classify_ownership
from atmpl.controller.request import Request, RequestSpec
from atmpl.template.template_metadata import REQUEST

LOOK_AGAIN = {  # seconds between two looks; each costs one read of metadata
    Reason.TARGET_CONFLICT: 60.0,
    # The format's stream tells sooner, unless its news crosses with our verdict, or the server holds a watch open on a
    # definition that was taken back and came anew.
    Reason.FORMAT_UNAVAILABLE: 60.0,
}

_REMEDY = (
    "Delete it, and this request goes on within a minute; or delete this request and create it again with another "
    "target name"
)


async def is_still_blocked(request: Request, spec: RequestSpec, cluster: Cluster) -> bool:
    """Whether what was in the way still is: one read of metadata, and only where the status says so."""
    reason = request.status.reason
    if reason not in LOOK_AGAIN:
        return False
    try:
        meta = await cluster.template_meta(spec.format, request.template_key(spec))
    except APINotFoundError:
        if reason == Reason.FORMAT_UNAVAILABLE:
            return True
        raise
    if meta is None or reason == Reason.FORMAT_UNAVAILABLE:
        return False
    return await classify_ownership(meta, request, cluster) in {Ownership.PREVIOUS_REQUEST, Ownership.UNOWNED}


def unavailable(spec: RequestSpec) -> Blocked:
    """Return that the format is not served."""
    return _waiting(
        Reason.FORMAT_UNAVAILABLE,
        f"This cluster does not serve {spec.format.api_version} {spec.format.kind}; "
        "the template is made as soon as it does",
    )


def foreign(request: Request, spec: RequestSpec, meta: TemplateMeta) -> Blocked:
    """Return that the name is taken by what is not ours."""
    owner = meta.annotations.get(REQUEST)
    made = f"was made for the request {owner[:300]}, not for this one" if owner else "was not made for this request"
    there = f"{spec.format.kind} {request.template_key(spec)} exists and {made}; it is left alone. {_REMEDY}"
    return _waiting(Reason.TARGET_CONFLICT, there)


def earlier(request: Request, spec: RequestSpec, meta: TemplateMeta) -> Blocked:
    """Return that the name is taken by what another request of the same name left."""
    there = f"{spec.format.kind} {request.template_key(spec)} was made by an earlier request of this name"
    return _waiting(Reason.TARGET_CONFLICT, f"{there}, at {meta.created}; it is left alone. {_REMEDY}")


def _waiting(reason: Reason, message: str) -> Blocked:
    return Blocked(reason, message, LOOK_AGAIN[reason])
