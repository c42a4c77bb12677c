"""A rendered template goes to the cluster, or stays back: a template that is not ours is never written over.

Ownership is the request's uid as a label of the template: neither memory nor an ownerReference. Design section 3.
"""

from enum import Enum, auto
from typing import Any, NamedTuple

import orjson

from atmpl.controller.cluster import Cluster, NotServedError, TakenError, TemplateMeta
from atmpl.controller.outcome import Moved, Outcome, Published, Reason, Refused, Rendered, Source, Waiting
from atmpl.controller.patch import difference, release_patch
from atmpl.controller.request import Asked, Request
from atmpl.template import Render
from atmpl.template.provenance import REFRESH, REQUEST, REQUEST_UID, SOURCE_GENERATION, SOURCE_UID
from atmpl.template.size import stored_size

STORED_LIMIT = 1_048_576  # bytes; the server's own limit is near 1.5 MiB and answers 500 there (measured)
LOOK_AGAIN = 60.0  # seconds between two looks at a template that is in the way


class Made(NamedTuple):
    """A template that is proved and not yet published."""

    render: Render
    source: Source
    digest: str  # of the VM it was made from


class Whose(Enum):
    """To whom a template of the wanted name belongs."""

    OURS = auto()
    STRAY = auto()  # names this request, and no living one has its uid: left by a race
    EARLIER = auto()  # made for a request of the same name that is no more
    FOREIGN = auto()


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
        except NotServedError:
            return Waiting(
                Reason.FORMAT_UNAVAILABLE,
                f"This cluster does not serve {asked.format.api_version} {asked.format.kind}; "
                "the template is made as soon as it does",
            )
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
            return await _adopt(request, asked, made, there, cluster)
        case Whose.OURS:
            patch = difference(there, made.render.template, asked.format)
        case Whose.STRAY:
            patch = difference(there, made.render.template, asked.format, take_over=True)
        case Whose.EARLIER:
            return Waiting(Reason.TARGET_CONFLICT, _earlier(asked, key, meta), LOOK_AGAIN)
        case Whose.FOREIGN:
            return Waiting(Reason.TARGET_CONFLICT, _foreign(asked, key), LOOK_AGAIN)
    if not patch:
        return _rendered(asked, made, Published(meta.uid, meta.version), there, written=False)
    published = await cluster.patch_template(asked.format, key, patch)
    return _rendered(asked, made, published, made.render.template, written=True)


async def _adopt(request: Request, asked: Asked, made: Made, there: dict[str, Any], cluster: Cluster) -> Outcome:
    """Once: an earlier try wrote this template and could not say so. It stays as it is, whatever the VM says by now."""
    meta = meta_of(there)
    published = Published(meta.uid, meta.version)
    if REFRESH in meta.labels:
        published = await cluster.patch_template(asked.format, request.template_key(asked), release_patch(meta))
    generation = meta.annotations.get(SOURCE_GENERATION, "")
    source = made.source
    if (meta.annotations.get(SOURCE_UID), generation) != (source.uid, str(source.generation)):
        source = Source(meta.annotations.get(SOURCE_UID, ""), int(generation) if generation.isdecimal() else 0, "")
    return _rendered(asked, made._replace(source=source), published, there, written=False)


async def release(request: Request, asked: Asked, cluster: Cluster) -> None:
    """OnChange became Once: take the label off that has the template kept in step, and nothing else."""
    key = request.template_key(asked)
    meta = await cluster.template_meta(asked.format, key)
    if meta and REFRESH in meta.labels and meta.labels.get(REQUEST_UID) == request.uid:
        await cluster.patch_template(asked.format, key, release_patch(meta))


async def is_taken_still(request: Request, asked: Asked, cluster: Cluster) -> bool:
    """Whether the template that was in the way still is: one metadata read, and only where the status says so."""
    if request.told.reason != Reason.TARGET_CONFLICT:
        return False
    meta = await cluster.template_meta(asked.format, request.template_key(asked))
    return meta is not None and await whose(meta, request, cluster) in {Whose.EARLIER, Whose.FOREIGN}


async def whose(meta: TemplateMeta, request: Request, cluster: Cluster) -> Whose:
    """Judge a template by its labels, its provenance and its age.

    A stale replica sees a template of the request's successor just as it would see a stray: so the cluster is asked
    whether this request still lives before anything of that kind is taken over.
    """
    uid = meta.labels.get(REQUEST_UID)
    if uid == request.uid:
        return Whose.OURS
    if uid is None or meta.annotations.get(REQUEST) != str(request.key):
        return Whose.FOREIGN
    if meta.created < request.created:
        return Whose.EARLIER
    return Whose.STRAY if await cluster.is_living(request) else Whose.FOREIGN


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


def _rendered(asked: Asked, made: Made, published: Published, template: dict[str, Any], *, written: bool) -> Rendered:
    return Rendered(
        source=made.source,
        published=published,
        parameters=len(asked.format.parameters(template)),
        warnings=made.render.warnings,
        digest=made.digest if asked.keep_in_step else "",
        written=written,
    )


def _foreign(asked: Asked, key: object) -> str:
    return (
        f"{asked.format.kind} {key} exists and was not made for this request; it is left alone. Delete it, or delete "
        "this request and create it again with another target name"
    )


def _earlier(asked: Asked, key: object, meta: TemplateMeta) -> str:
    return (
        f"{asked.format.kind} {key} was made by an earlier request of this name, at {meta.created}; it is left alone. "
        "Delete it to have it made anew, or delete this request and create it again with another target name"
    )
