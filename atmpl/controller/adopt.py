"""A template of ours that stands already: taken for published, or let go. What it says stays as it is."""

from typing import Any

from atmpl.controller.cluster import Cluster, TemplateMeta
from atmpl.controller.outcome import Conflict, Outcome, Published, Rendered, Source, SourceGone, source_gone
from atmpl.controller.ownership import is_owned, meta_of
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.template_patch import release_patch
from atmpl.controller.vm_digest import NO_SOURCE_DIGEST
from atmpl.template import RenderWarning
from atmpl.template.template_metadata import REFRESH, SOURCE_GENERATION, SOURCE_UID


async def adopt(
    request: Request,
    spec: RequestSpec,
    there: dict[str, Any],
    cluster: Cluster,
    *,
    source: Source | None = None,
    warnings: tuple[RenderWarning, ...] = (),
) -> Rendered:
    """Take a template for published that an earlier try wrote, whatever the VM says by now.

    `source` and `warnings` are the VM's as it is now, under Once; under OnChange there is no VM any more.
    """
    meta = meta_of(there)
    published = Published(meta.uid, meta.version)
    if REFRESH in meta.labels and not spec.refresh_on_change:
        published = await cluster.patch_template(spec.format, request.template_key(spec), release_patch(meta))
    of = _provenance(meta)
    if source and (source.uid, source.generation) == (of.uid, of.generation):
        of = source
    return Rendered(
        source=of,
        published=published,
        parameters=len(spec.format.parameters(there)),
        warnings=(source_gone(spec.source),) if spec.refresh_on_change else warnings,
        digest=NO_SOURCE_DIGEST if spec.refresh_on_change else "",
        written=False,
    )


async def find_existing_template(request: Request, spec: RequestSpec, cluster: Cluster) -> Outcome | None:
    """Return what stands from earlier, where the VM gives nothing any more; None where no template of ours does.

    An earlier try may have written the template and not come to say so before the VM was deleted or spoiled.
    """
    key = request.template_key(spec)
    meta = await cluster.template_meta(spec.format, key)
    if meta is None or not is_owned(meta, request):
        return None
    if spec.refresh_on_change and request.status.digest:
        return SourceGone(spec.source)
    there = await cluster.template(spec.format, key)
    if there is None or not is_owned(meta_of(there), request):
        return Conflict("template")
    return await adopt(request, spec, there, cluster)


async def release(request: Request, spec: RequestSpec, cluster: Cluster) -> bool:
    """OnChange became Once: take the label off that has the template kept in step, and nothing else.

    Return whether that settles the request; not so where no template of ours is there, and none is said to be.
    """
    key = request.template_key(spec)
    meta = await cluster.template_meta(spec.format, key)
    ours = meta is not None and is_owned(meta, request)
    if meta is not None and ours and REFRESH in meta.labels:
        await cluster.patch_template(spec.format, key, release_patch(meta))
    return ours or request.rendered


def _provenance(meta: TemplateMeta) -> Source:
    """Return from which VM a template says it was made. Anybody may have edited it: it is believed in bounds only."""
    uid, generation = meta.annotations.get(SOURCE_UID, ""), meta.annotations.get(SOURCE_GENERATION, "")
    plausible = generation.isascii() and generation.isdecimal() and len(generation) <= 18  # an int64, for certain
    return Source(uid if len(uid) <= 128 else "", int(generation) if plausible else 0, "")  # 128: the CRD's limit
