"""Publish a rendered template: create it, or decide about an existing template of the same name.

The first row that applies decides, with either refresh policy. Held: the template names this request and has
ownerReferences or finalizers, but is not the template of the request's status.

================  ===========================================================================================
owner             decision
================  ===========================================================================================
another           TargetConflict
held              TargetConflict
this request      if it is older than the request (taken over from a previous one), its content equals the
                  rendering, and the status names no template: write this request's provenance and nothing else (a
                  process stopped before its status write)
this request      otherwise patch it to the rendering: any user can write the label, so it does not prove the content
previous request  if its content equals the rendering, write this request's provenance and nothing else, because
                  its user can have edited its metadata; otherwise TargetConflict
orphaned          take it over: patch it to the rendering and write this request's provenance
================  ===========================================================================================

Before a patch, the request is read again, because a suspended replica can hold an old version: with OnChange its spec
must be unchanged (not read again for a template with the refresh label), and with Once its status too, because a
finished template belongs to its user.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson

from atmpl.controller.cluster import AlreadyExistsError, Cluster, TemplateMeta, TooLargeError
from atmpl.controller.outcome import (
    Blocked,
    Conflict,
    Outcome,
    Published,
    Reason,
    Rejected,
    Rendered,
    Source,
    SourceGone,
)
from atmpl.controller.ownership import (
    Ownership,
    classify_ownership,
    held_conflict,
    is_adopted,
    is_current,
    is_owned,
    meta_of,
    other_owner_conflict,
    previous_request_conflict,
)
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.template_patch import (
    build_patch,
    detach_patch,
    encode_patch,
    has_same_content,
    provenance_patch,
)
from atmpl.controller.vm_digest import digest_of, source_of
from atmpl.template import Omitted, RenderedTemplate, RenderWarning
from atmpl.template.template_metadata import REFRESH


@dataclass(frozen=True, slots=True)
class EncodedTemplate:
    """A verified template before its publication.

    It is encoded, so that the dicts of the rendering are freed before the API call. During the call they would leave
    the CPU cache, and freeing them would be slow.
    """

    body: bytes  # JSON
    api_version: str
    parameter_count: int
    warnings: tuple[RenderWarning, ...]
    omitted: tuple[Omitted, ...]
    source: Source
    digest: str  # of the VM
    seconds: float  # for rendering and verifying

    @classmethod
    def from_render(
        cls,
        vm: dict[str, Any],
        render: RenderedTemplate,
        spec: RequestSpec,
        seconds: float,
        warnings: tuple[RenderWarning, ...] = (),
    ) -> Self:
        """Return the rendering of `vm` with additional `warnings`."""
        return cls(
            body=orjson.dumps(render.template),
            api_version=render.template["apiVersion"],
            parameter_count=len(spec.format.parameters(render.template)),
            warnings=(*warnings, *render.warnings),
            omitted=render.omitted,
            source=source_of(vm),
            digest=digest_of(vm),
            seconds=seconds,
        )


async def publish(request: Request, spec: RequestSpec, encoded: EncodedTemplate, cluster: Cluster) -> Outcome:
    """Create the template or reconcile the existing one. Raises ClusterError."""
    try:
        return await _publish(request, spec, encoded, cluster)
    except TooLargeError as error:
        problem = f"The API server cannot store the template: {error}"
        return Rejected(Reason.TOO_LARGE, problem, refused_digest=encoded.digest)


async def detach(request: Request, spec: RequestSpec, cluster: Cluster) -> bool:
    """Remove the refresh label after OnChange became Once. Raises ClusterError.

    Return True if the status reports Rendered or names this template. If False, the caller renders once more.
    """
    key = request.template_key(spec)
    meta = await cluster.template_meta(spec.format, key)
    owns = meta is not None and is_owned(meta, request)
    if meta is not None and owns and REFRESH in meta.labels:
        await cluster.patch_template(spec.format, key, encode_patch(detach_patch(meta)))
    return request.is_rendered or (meta is not None and is_adopted(meta, request))


async def source_deleted(request: Request, spec: RequestSpec, cluster: Cluster) -> SourceGone | None:
    """Return SourceGone if the template that this request rendered still exists; otherwise None. Raises ClusterError.

    A template that the status does not name is not adopted: without the VM, its content cannot be verified.
    """
    if not (spec.refresh_on_change and request.status.digest):
        return None
    meta = await cluster.template_meta(spec.format, request.template_key(spec))
    exists = meta is not None and is_adopted(meta, request)
    return SourceGone(spec.source) if exists else None


async def _publish(request: Request, spec: RequestSpec, encoded: EncodedTemplate, cluster: Cluster) -> Outcome:
    key = request.template_key(spec)
    # A refresh expects the template to exist. A first rendering does not, and saves the read.
    update = await _plan_update(request, spec, encoded, cluster) if request.status.template_uid else None
    if update is None:
        try:
            published = await cluster.create_template(spec.format, key.namespace, encoded.body)
        except AlreadyExistsError:
            update = await _plan_update(request, spec, encoded, cluster)
            if update is None:
                return Conflict("template")
        else:
            return _outcome(spec, encoded, published, written=True)
    if isinstance(update, Blocked):
        return update
    meta = update.meta
    if not update.patch:
        return _outcome(spec, encoded, Published(meta.uid, meta.resource_version), written=False)
    if not await _may_patch(request, spec, update.owner, meta, cluster):
        return Conflict("request")
    published = await cluster.patch_template(spec.format, key, update.patch)
    return _outcome(spec, encoded, published, written=True)


class _Update(NamedTuple):
    """What is to be done with the existing template."""

    meta: TemplateMeta
    owner: Ownership
    patch: bytes  # JSON; empty if nothing is to be written


async def _plan_update(
    request: Request, spec: RequestSpec, encoded: EncodedTemplate, cluster: Cluster
) -> _Update | Blocked | None:
    """Apply the decision table to the existing template of the wanted name; None if there is none.

    The dicts of a template can take ten times as much memory as its JSON. They are freed when this returns, so that no
    worker keeps them during the write. Raises ClusterError.
    """
    existing = await cluster.template(spec.format, request.template_key(spec))
    if existing is None:
        return None
    meta = meta_of(existing)
    wanted = orjson.loads(encoded.body)
    owner = await classify_ownership(meta, request, cluster)
    if owner is Ownership.OTHER:
        return other_owner_conflict(request, spec, meta)
    if owner is Ownership.HELD:
        return held_conflict(request, spec, meta)
    is_same = has_same_content(existing, wanted, spec.format)
    if owner is Ownership.PREVIOUS_REQUEST and not is_same:
        return previous_request_conflict(request, spec, meta)
    # A process that stopped between take-over and status write: the template has this request's uid, the status has
    # none.
    is_first = not request.status.template_uid
    is_earlier = meta.created <= request.created
    if owner is Ownership.PREVIOUS_REQUEST or (is_same and is_first and is_earlier):
        patch = provenance_patch(existing, wanted)
    else:
        patch = build_patch(existing, wanted, spec.format, take_over=not is_adopted(meta, request))
    return _Update(meta, owner, encode_patch(patch))


async def _may_patch(
    request: Request, spec: RequestSpec, owner: Ownership, meta: TemplateMeta, cluster: Cluster
) -> bool:
    """Return True if the request did not change since this process received it. Raises ClusterError.

    With Once its resourceVersion must be the same. With OnChange its spec must be, which needs no read for a template
    with the refresh label.
    """
    if not spec.refresh_on_change:
        return await is_current(request, cluster, exact=True)
    if owner is Ownership.OWNED and REFRESH in meta.labels:
        # `detach` removes this label before the status reports completion: with it, the template is still the
        # controller's.
        return True
    return await is_current(request, cluster)


def _outcome(spec: RequestSpec, encoded: EncodedTemplate, published: Published, *, written: bool) -> Rendered:
    return Rendered(
        source=encoded.source,
        published=published,
        api_version=encoded.api_version,
        parameter_count=encoded.parameter_count,
        warnings=encoded.warnings,
        omitted=encoded.omitted,
        digest=encoded.digest if spec.refresh_on_change else "",
        written=written,
        seconds=encoded.seconds,
    )
