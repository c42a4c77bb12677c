"""What is in the way of a template: how it is said, and when it is looked at again."""

from atmpl.controller.cluster import Cluster, NotServedError, TemplateMeta
from atmpl.controller.outcome import Reason, Waiting
from atmpl.controller.ownership import Whose, whose
from atmpl.controller.request import Asked, Request
from atmpl.template.provenance import REQUEST

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


async def is_hindered(request: Request, asked: Asked, cluster: Cluster) -> bool:
    """Whether what was in the way still is: one read of metadata, and only where the status says so."""
    reason = request.told.reason
    if reason not in LOOK_AGAIN:
        return False
    try:
        meta = await cluster.template_meta(asked.format, request.template_key(asked))
    except NotServedError:
        if reason == Reason.FORMAT_UNAVAILABLE:
            return True
        raise
    if meta is None or reason == Reason.FORMAT_UNAVAILABLE:
        return False
    return await whose(meta, request, cluster) in {Whose.EARLIER, Whose.FOREIGN}


def unavailable(asked: Asked) -> Waiting:
    """Return that the format is not served."""
    return _waiting(
        Reason.FORMAT_UNAVAILABLE,
        f"This cluster does not serve {asked.format.api_version} {asked.format.kind}; "
        "the template is made as soon as it does",
    )


def foreign(request: Request, asked: Asked, meta: TemplateMeta) -> Waiting:
    """Return that the name is taken by what is not ours."""
    owner = meta.annotations.get(REQUEST)
    made = f"was made for the request {owner[:300]}, not for this one" if owner else "was not made for this request"
    there = f"{asked.format.kind} {request.template_key(asked)} exists and {made}; it is left alone. {_REMEDY}"
    return _waiting(Reason.TARGET_CONFLICT, there)


def earlier(request: Request, asked: Asked, meta: TemplateMeta) -> Waiting:
    """Return that the name is taken by what another request of the same name left."""
    there = f"{asked.format.kind} {request.template_key(asked)} was made by an earlier request of this name"
    return _waiting(Reason.TARGET_CONFLICT, f"{there}, at {meta.created}; it is left alone. {_REMEDY}")


def _waiting(reason: Reason, message: str) -> Waiting:
    return Waiting(reason, message, LOOK_AGAIN[reason])
