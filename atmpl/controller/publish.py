"""A rendered template goes to the cluster, or stays back: a template that is not ours is never written over."""

from typing import Any, NamedTuple, Self

import orjson

from atmpl.controller import hindrance
from atmpl.controller.adopt import adopt
from atmpl.controller.cluster import Cluster, OversizeError, TakenError
from atmpl.controller.outcome import Moved, Outcome, Published, Reason, Refused, Rendered, Source
from atmpl.controller.ownership import Whose, is_current, meta_of, whose
from atmpl.controller.patch import difference
from atmpl.controller.request import Asked, Request
from atmpl.controller.vm import digest_of, source
from atmpl.template import Render, RenderWarning
from atmpl.template.provenance import REFRESH
from atmpl.template.size import stored_size

STORED_LIMIT = 1_048_576  # bytes; the server's own limit is near 1.5 MiB and answers 500 there (measured)


class Made(NamedTuple):
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
    def of(cls, vm: dict[str, Any], render: Render, asked: Asked, seconds: float) -> Self:
        """Return what was rendered of `vm`, as it is published."""
        return cls(
            body=orjson.dumps(render.template),
            parameters=len(asked.format.parameters(render.template)),
            warnings=render.warnings,
            source=source(vm),
            digest=digest_of(vm),
            seconds=seconds,
        )


async def publish(request: Request, asked: Asked, made: Made, cluster: Cluster) -> Outcome:
    """Write the template, adopt the one that is there already, or say what is in the way."""
    size = stored_size(made.body)
    if size > STORED_LIMIT:
        return Refused(
            Reason.TOO_LARGE,
            f"The template of VM {asked.source} would take {size:,} bytes and may take {STORED_LIMIT:,}: make the VM "
            "smaller, for instance by moving userData into a Secret",
        )
    try:
        return await _publish(request, asked, made, cluster)
    except OversizeError as error:
        return Refused(Reason.TOO_LARGE, f"The API server cannot store the template: {error}")


async def _publish(request: Request, asked: Asked, made: Made, cluster: Cluster) -> Outcome:
    key = request.template_key(asked)
    # A refresh expects its template to be there; everybody else expects it not to be, and saves the read.
    there = await cluster.template(asked.format, key) if request.told.template_uid else None
    if there is None:
        try:
            published = await cluster.create_template(asked.format, key.namespace, made.body)
        except TakenError:
            there = await cluster.template(asked.format, key)
            if there is None:
                return Moved("template")
        else:
            return _rendered(asked, made, published, written=True)
    return await _claim(request, asked, made, there, cluster)


async def _claim(request: Request, asked: Asked, made: Made, there: dict[str, Any], cluster: Cluster) -> Outcome:
    """Settle with the template `there` that has the wanted name."""
    meta = meta_of(there)
    match await whose(meta, request, cluster):
        case Whose.OURS if not asked.keep_in_step:
            return await adopt(request, asked, there, cluster, source=made.source, warnings=made.warnings)
        case Whose.OURS if REFRESH not in meta.labels and not await is_current(request, cluster):
            return Moved("request")  # it is Once by now, and somebody else has let the template go
        case Whose.OURS:
            patch = difference(there, orjson.loads(made.body), asked.format)
        case Whose.STRAY:
            patch = difference(there, orjson.loads(made.body), asked.format, take_over=True)
        case Whose.EARLIER:
            return hindrance.earlier(request, asked, meta)
        case Whose.FOREIGN:
            return hindrance.foreign(request, asked, meta)
    if not patch:
        made = made._replace(parameters=len(asked.format.parameters(there)))
        return _rendered(asked, made, Published(meta.uid, meta.version), written=False)
    published = await cluster.patch_template(asked.format, request.template_key(asked), patch)
    return _rendered(asked, made, published, written=True)


def _rendered(asked: Asked, made: Made, published: Published, *, written: bool) -> Rendered:
    return Rendered(
        source=made.source,
        published=published,
        parameters=made.parameters,
        warnings=made.warnings,
        digest=made.digest if asked.keep_in_step else "",
        written=written,
        seconds=made.seconds,
    )
