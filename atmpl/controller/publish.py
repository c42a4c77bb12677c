"""A rendered template goes to the cluster, or stays back: a template that is not ours is never written over."""

from typing import Any, NamedTuple, Self

import orjson

from atmpl.controller import hindrance
from atmpl.controller.adopt import adopt
from atmpl.controller.cluster import AlreadyExistsError, Cluster, TooLargeError
from atmpl.controller.outcome import Conflict, Outcome, Published, Reason, Rejected, Rendered, Source
from atmpl.controller.ownership import Ownership, classify_ownership, is_current, meta_of
from atmpl.controller.request import Request, RequestSpec
from atmpl.controller.template_patch import difference
from atmpl.controller.vm_digest import source, vm_digest_of
from atmpl.template import Render, RenderWarning
from atmpl.template.stored_size import stored_size
from atmpl.template.template_metadata import REFRESH

STORED_LIMIT = 1_048_576  # bytes; the server's own limit is near 1.5 MiB and answers 500 there (measured)


class RenderedTemplate(NamedTuple):
    """A template that is proved and not yet published.

    As bytes: its dicts, kept while the API server works, would be out of the core's caches by the time they are freed,
    and so would be the memory that the next templates get.
    """

    body: bytes  # JSON
    parameters: int
    warnings: tuple[RenderWarning, ...]
    source: Source
    digest: str  # of the VM it was made from
    seconds: float  # that rendering and proving took

    @classmethod
    def of(cls, vm: dict[str, Any], render: Render, spec: RequestSpec, seconds: float) -> Self:
        """Return what was rendered of `vm`, as it is published."""
        return cls(
            body=orjson.dumps(render.template),
            parameters=len(spec.format.parameters(render.template)),
            warnings=render.warnings,
            source=source(vm),
            digest=vm_digest_of(vm),
            seconds=seconds,
        )


async def publish(request: Request, spec: RequestSpec, made: RenderedTemplate, cluster: Cluster) -> Outcome:
    """Write the template, adopt the one that is there already, or say what is in the way."""
    size = stored_size(made.body)
    if size > STORED_LIMIT:
        return Rejected(
            Reason.TOO_LARGE,
            f"The template of VM {spec.source} would take {size:,} bytes and may take {STORED_LIMIT:,}: make the VM "
            "smaller, for instance by moving userData into a Secret",
        )
    try:
        return await _publish(request, spec, made, cluster)
    except TooLargeError as error:
        return Rejected(Reason.TOO_LARGE, f"The API server cannot store the template: {error}")


async def _publish(request: Request, spec: RequestSpec, made: RenderedTemplate, cluster: Cluster) -> Outcome:
    key = request.template_key(spec)
    # A refresh expects its template to be there; everybody else expects it not to be, and saves the read.
    there = await cluster.template(spec.format, key) if request.status.template_uid else None
    if there is None:
        try:
            published = await cluster.create_template(spec.format, key.namespace, made.body)
        except AlreadyExistsError:
            there = await cluster.template(spec.format, key)
            if there is None:
                return Conflict("template")
        else:
            return _rendered(spec, made, published, written=True)
    return await _claim(request, spec, made, there, cluster)


async def _claim(
    request: Request, spec: RequestSpec, made: RenderedTemplate, there: dict[str, Any], cluster: Cluster
) -> Outcome:
    """Settle with the template `there` that has the wanted name."""
    meta = meta_of(there)
    match await classify_ownership(meta, request, cluster):
        case Ownership.OWNED if not spec.refresh_on_change:
            return await adopt(request, spec, there, cluster, source=made.source, warnings=made.warnings)
        case Ownership.OWNED if REFRESH not in meta.labels and not await is_current(request, cluster):
            return Conflict("request")  # it is Once by now, and somebody else has let the template go
        case Ownership.OWNED:
            patch = difference(there, orjson.loads(made.body), spec.format)
        case Ownership.ORPHANED:
            patch = difference(there, orjson.loads(made.body), spec.format, adopt_orphan=True)
        case Ownership.PREVIOUS_REQUEST:
            return hindrance.earlier(request, spec, meta)
        case Ownership.UNOWNED:
            return hindrance.foreign(request, spec, meta)
    if not patch:
        made = made._replace(parameters=len(spec.format.parameters(there)))
        return _rendered(spec, made, Published(meta.uid, meta.version), written=False)
    published = await cluster.patch_template(spec.format, request.template_key(spec), patch)
    return _rendered(spec, made, published, written=True)


def _rendered(spec: RequestSpec, made: RenderedTemplate, published: Published, *, written: bool) -> Rendered:
    return Rendered(
        source=made.source,
        published=published,
        parameters=made.parameters,
        warnings=made.warnings,
        digest=made.digest if spec.refresh_on_change else "",
        written=written,
        seconds=made.seconds,
    )
