"""The owner of an existing template, and what blocks a request: TargetConflict and FormatUnavailable.

`classify_ownership` returns the owner. The functions that return Blocked have the messages of the two reasons.
`is_still_blocked` checks such a request again, every RECHECK_SECONDS, and `is_current` reads the request again before a
template is patched.

A template belongs to the request whose uid is its label. Any user can write that label, so it does not prove the
content: `publish.py` makes the content equal to the rendering before it reports the template as its own. A template
with ownerReferences or finalizers is not adopted: its author could have it deleted later, or keep it from being
deleted. The controller does not remove ownerReferences: in OpenShift, only users who may delete a template may change
them (admission plugin OwnerReferencesPermissionEnforcement).
"""

from enum import Enum, auto
from typing import Any

from atmpl.controller.cluster import LIFETIME_FIELDS, APINotFoundError, Cluster, TemplateMeta, UnavailableError
from atmpl.controller.outcome import Blocked, Reason
from atmpl.controller.request import NAME, NAMESPACE, Request, RequestSpec
from atmpl.template.template_metadata import REQUEST, REQUEST_UID

# Seconds between checks of a blocked request; each costs one read of metadata. For FormatUnavailable, the format's
# stream usually reports sooner. Exceptions: its event crosses the status write; the CRD was recreated under an open
# watch.
RECHECK_SECONDS = 60.0
_RECHECKED = {Reason.TARGET_CONFLICT, Reason.FORMAT_UNAVAILABLE}

_REMEDY = (
    f"Delete it, and this request continues within {RECHECK_SECONDS:.0f} s; or delete this request and create it again "
    "with another target name"
)


class Ownership(Enum):
    """The owner of an existing template of the wanted name."""

    OWNED = auto()  # its label is this request's uid
    ORPHANED = auto()  # names this request, was created after it, and no request has its uid
    PREVIOUS_REQUEST = auto()  # names this request, and can be older than it: of a deleted request of the same name
    HELD = auto()  # would be adopted, but another writer decides when it is deleted (LIFETIME_FIELDS)
    OTHER = auto()  # of another request, or of none


_BLOCKING = {Ownership.PREVIOUS_REQUEST, Ownership.HELD, Ownership.OTHER}


def is_owned(meta: TemplateMeta, request: Request) -> bool:
    """Return True if the template's label is the request's uid."""
    return meta.labels.get(REQUEST_UID) == request.uid


def is_adopted(meta: TemplateMeta, request: Request) -> bool:
    """Return True if the template is owned, and is the one of the request's status."""
    return is_owned(meta, request) and meta.uid == request.status.template_uid


async def classify_ownership(meta: TemplateMeta, request: Request, cluster: Cluster) -> Ownership:
    """Return the owner of a template, by its labels, provenance and age. Raises ClusterError.

    Timestamps have a resolution of one second: a template that was created in the same second as the request counts as
    older. A replica that was suspended can hold a request that was deleted and created again. The template of the new
    request then looks orphaned, so the old request is read again first.
    """
    is_own = is_owned(meta, request)
    if not is_own and (REQUEST_UID not in meta.labels or meta.annotations.get(REQUEST) != str(request.key)):
        return Ownership.OTHER
    if meta.lifetime_fields and not is_adopted(meta, request):
        return Ownership.HELD
    if is_own:
        return Ownership.OWNED
    if meta.created <= request.created:
        return Ownership.PREVIOUS_REQUEST
    return Ownership.ORPHANED if await is_current(request, cluster) else Ownership.OTHER


async def is_current(request: Request, cluster: Cluster, *, exact: bool = False) -> bool:
    """Return True if the request still exists unchanged. Raises ClusterError.

    A process that was suspended can hold an old version.
    """
    try:
        return await cluster.is_current(request, exact=exact)
    except APINotFoundError as error:  # not about the template's format
        raise UnavailableError(f"requests are not served: {error}") from None


async def is_still_blocked(request: Request, spec: RequestSpec, cluster: Cluster) -> bool:
    """Return True if the block in the request's status persists. Costs one read of metadata. Raises ClusterError."""
    reason = request.status.reason
    if reason not in _RECHECKED:
        return False
    try:
        meta = await cluster.template_meta(spec.format, request.template_key(spec))
    except APINotFoundError:
        if reason == Reason.FORMAT_UNAVAILABLE:
            return True
        raise
    if meta is None or reason == Reason.FORMAT_UNAVAILABLE:
        return False
    return await classify_ownership(meta, request, cluster) in _BLOCKING


def format_unavailable(spec: RequestSpec) -> Blocked:
    """Return the outcome FormatUnavailable: the cluster does not serve the format."""
    return _blocked(
        Reason.FORMAT_UNAVAILABLE,
        f"This cluster does not serve {spec.format.api_version} {spec.format.kind}. The template is created when it "
        "does",
    )


def other_owner_conflict(request: Request, spec: RequestSpec, meta: TemplateMeta) -> Blocked:
    """Return the outcome TargetConflict: a template of another owner has the wanted name."""
    namespace, _, name = meta.annotations.get(REQUEST, "").partition("/")
    is_name = NAMESPACE.fullmatch(namespace) and NAME.fullmatch(name)  # any user can edit the annotation
    made = f"was made for the request {namespace}/{name[:253]}" if is_name else "was not made for this request"
    return _blocked(
        Reason.TARGET_CONFLICT,
        f"{spec.format.kind} {request.template_key(spec)} exists and {made}; it is not changed. {_REMEDY}",
    )


def previous_request_conflict(request: Request, spec: RequestSpec, meta: TemplateMeta) -> Blocked:
    """Return the outcome TargetConflict: a template of a previous request of this name differs from the VM."""
    return _blocked(
        Reason.TARGET_CONFLICT,
        f"{spec.format.kind} {request.template_key(spec)} was made for a previous request of this name, at "
        f"{meta.created}, and differs from the VM; it is not changed. {_REMEDY}",
    )


def held_conflict(request: Request, spec: RequestSpec, meta: TemplateMeta) -> Blocked:
    """Return the outcome TargetConflict: a template that names this request has a field of LIFETIME_FIELDS."""
    fields = " and ".join(f"metadata.{field}" for field in meta.lifetime_fields)
    return _blocked(
        Reason.TARGET_CONFLICT,
        f"{spec.format.kind} {request.template_key(spec)} exists and has {fields}, which the controller did not write; "
        f"it is not changed. {_REMEDY}",
    )


def meta_of(template: dict[str, Any]) -> TemplateMeta:
    """Return the metadata of a template that decide its ownership."""
    metadata = template["metadata"]
    return TemplateMeta(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        created=metadata["creationTimestamp"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        lifetime_fields=tuple(field for field in LIFETIME_FIELDS if metadata.get(field)),
    )


def _blocked(reason: Reason, message: str) -> Blocked:
    return Blocked(reason, message, requeue_after=RECHECK_SECONDS)
