"""A rendered template goes to the cluster, or stays back: a template that is not ours is never written over."""

from typing import Any, NamedTuple

import orjson

from atmpl.controller.cluster import Cluster, NotServedError, OversizeError, TakenError, TemplateMeta
from atmpl.controller.outcome import (
    Moved,
    Outcome,
    Published,
    Reason,
    Refused,
    Rendered,
    Source,
    SourceGone,
    Waiting,
    source_gone,
)
from atmpl.controller.ownership import Whose, is_current, is_ours, meta_of, whose
from atmpl.controller.patch import difference, release_patch
from atmpl.controller.request import Asked, Request
from atmpl.controller.vm import UNSEEN
from atmpl.template import Render
from atmpl.template.provenance import REFRESH, REQUEST, SOURCE_GENERATION, SOURCE_UID
from atmpl.template.size import stored_size

STORED_LIMIT = 1_048_576  # bytes; the server's own limit is near 1.5 MiB and answers 500 there (measured)

LOOK_AGAIN = {  # seconds between two looks at what is in the way; each costs one read of metadata
    Reason.TARGET_CONFLICT: 60.0,
    Reason.FORMAT_UNAVAILABLE: 300.0,  # the format's stream tells sooner, unless its news crosses with our verdict
}


_REMEDY = (
    "Delete it, and this request goes on within a minute; or delete this request and create it again with another "
    "target name"
)


class Made(NamedTuple):
    """A template that is proved and not yet published."""

    render: Render
    source: Source
    digest: str  # of the VM it was made from
    seconds: float  # that rendering and proving took


async def publish(request: Request, asked: Asked, made: Made, cluster: Cluster) -> Outcome:
    """Write the template, adopt the one that is there already, or say what is in the way."""
    body = orjson.dumps(made.render.template)
    size = stored_size(body)
    if size > STORED_LIMIT:
        return Refused(
            Reason.TOO_LARGE,
            f"The template of VM {asked.source} would take {size:,} bytes and may take {STORED_LIMIT:,}: make the VM "
            "smaller, for instance by moving userData into a Secret",
        )
    key = request.template_key(asked)
    # A refresh expects its template to be there; everybody else expects it not to be, and saves the read.
    there = await cluster.template(asked.format, key) if request.told.template_uid else None
    if there is None:
        try:
            published = await cluster.create_template(asked.format, key.namespace, body)
        except OversizeError as error:
            return _refused_by_server(error)
        except TakenError:
            there = await cluster.template(asked.format, key)
            if there is None:
                return Moved("template")
        else:
            return _rendered(asked, made, published, made.render.template, written=True)
    return await _claim(request, asked, made, there, cluster)


async def _claim(request: Request, asked: Asked, made: Made, there: dict[str, Any], cluster: Cluster) -> Outcome:
    """Settle with the template `there` that has the wanted name."""
    key = request.template_key(asked)
    meta = meta_of(there)
    match await whose(meta, request, cluster):
        case Whose.OURS if not asked.keep_in_step:
            return await _adopt(request, asked, there, cluster, made)
        case Whose.OURS if REFRESH not in meta.labels and not await is_current(request, cluster):
            return Moved("request")  # it is Once by now, and somebody else has let the template go
        case Whose.OURS:
            patch = difference(there, made.render.template, asked.format)
        case Whose.STRAY:
            patch = difference(there, made.render.template, asked.format, take_over=True)
        case Whose.EARLIER:
            return _conflict(_earlier(asked, key, meta))
        case Whose.FOREIGN:
            return _conflict(_foreign(asked, key, meta))
    if not patch:
        return _rendered(asked, made, Published(meta.uid, meta.version), there, written=False)
    try:
        published = await cluster.patch_template(asked.format, key, patch)
    except OversizeError as error:
        return _refused_by_server(error)
    return _rendered(asked, made, published, made.render.template, written=True)


async def made_earlier(request: Request, asked: Asked, cluster: Cluster) -> Outcome | None:
    """Return what stands from earlier, where the VM gives nothing any more; None where no template of ours does.

    An earlier try may have written the template and not come to say so before the VM was deleted or spoiled.
    """
    key = request.template_key(asked)
    meta = await cluster.template_meta(asked.format, key)
    if meta is None or not is_ours(meta, request):
        return None
    if asked.keep_in_step and request.told.digest:
        return SourceGone(asked.source)
    there = await cluster.template(asked.format, key)
    if there is None or not is_ours(meta_of(there), request):
        return Moved("template")
    return await _adopt(request, asked, there, cluster, None)


async def _adopt(request: Request, asked: Asked, there: dict[str, Any], cluster: Cluster, made: Made | None) -> Outcome:
    """Take a template for published that an earlier try wrote. It stays as it is, whatever the VM says by now.

    Under Once, `made` is what would have been published now; under OnChange there is no VM any more.
    """
    meta = meta_of(there)
    published = Published(meta.uid, meta.version)
    if REFRESH in meta.labels and not asked.keep_in_step:
        published = await cluster.patch_template(asked.format, request.template_key(asked), release_patch(meta))
    source = _provenance(meta)
    warnings = made.render.warnings if made else ()
    if made and (made.source.uid, made.source.generation) == (source.uid, source.generation):
        source = made.source
    if asked.keep_in_step:
        warnings = (source_gone(asked.source),)
    return Rendered(
        source=source,
        published=published,
        parameters=len(asked.format.parameters(there)),
        warnings=warnings,
        digest=UNSEEN if asked.keep_in_step else "",
        written=False,
    )


def _provenance(meta: TemplateMeta) -> Source:
    """Return from which VM a template says it was made. Anybody may have edited it: it is believed in bounds only."""
    uid, generation = meta.annotations.get(SOURCE_UID, ""), meta.annotations.get(SOURCE_GENERATION, "")
    plausible = generation.isascii() and generation.isdecimal() and len(generation) <= 18  # an int64, for certain
    return Source(uid if len(uid) <= 128 else "", int(generation) if plausible else 0, "")  # 128: the CRD's limit


async def release(request: Request, asked: Asked, cluster: Cluster) -> bool:
    """OnChange became Once: take the label off that has the template kept in step, and nothing else.

    Return whether that settles the request; not so where no template of ours is there, and none is said to be.
    """
    key = request.template_key(asked)
    meta = await cluster.template_meta(asked.format, key)
    ours = meta is not None and is_ours(meta, request)
    if meta is not None and ours and REFRESH in meta.labels:
        await cluster.patch_template(asked.format, key, release_patch(meta))
    return ours or request.rendered


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


def unavailable(asked: Asked) -> Outcome:
    """Return that the format is not served."""
    return Waiting(
        Reason.FORMAT_UNAVAILABLE,
        f"This cluster does not serve {asked.format.api_version} {asked.format.kind}; "
        "the template is made as soon as it does",
        LOOK_AGAIN[Reason.FORMAT_UNAVAILABLE],
    )


def _rendered(asked: Asked, made: Made, published: Published, template: dict[str, Any], *, written: bool) -> Rendered:
    return Rendered(
        source=made.source,
        published=published,
        parameters=len(asked.format.parameters(template)),
        warnings=made.render.warnings,
        digest=made.digest if asked.keep_in_step else "",
        written=written,
        seconds=made.seconds,
    )


def _refused_by_server(error: OversizeError) -> Refused:
    return Refused(Reason.TOO_LARGE, f"The API server cannot store the template: {error}")


def _conflict(message: str) -> Waiting:
    return Waiting(Reason.TARGET_CONFLICT, message, LOOK_AGAIN[Reason.TARGET_CONFLICT])


def _foreign(asked: Asked, key: object, meta: TemplateMeta) -> str:
    owner = meta.annotations.get(REQUEST)
    whose = f"was made for the request {owner[:300]}, not for this one" if owner else "was not made for this request"
    return f"{asked.format.kind} {key} exists and {whose}; it is left alone. {_REMEDY}"


def _earlier(asked: Asked, key: object, meta: TemplateMeta) -> str:
    return (
        f"{asked.format.kind} {key} was made by an earlier request of this name, at {meta.created}; it is left alone. "
        f"{_REMEDY}"
    )
