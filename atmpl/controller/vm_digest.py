"""What of a VM matters to its template, as metadata alone can tell."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from atmpl.controller.outcome import Source
from atmpl.template.rules import keeps_annotation, keeps_label
from atmpl.version import __version__

NO_SOURCE_DIGEST = (
    "unseen"  # the digest of a VM that was deleted before anybody said what was made of it; like no other
)


def digest(uid: str, generation: int, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return 32 hex digits that change when a template of the VM would. Design section 3.

    The generation stands for the spec; the labels and annotations that rule 10 keeps stand for themselves; and another
    version of atmpl may render another template. A VM's status is not in it, so its churn is never seen.
    """
    parts = [
        __version__,
        uid,
        generation,
        {key: value for key, value in labels.items() if keeps_label(key)},
        {key: value for key, value in annotations.items() if keeps_annotation(key)},
    ]
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def vm_digest_of(vm: dict[str, Any]) -> str:
    """Return the digest of a whole VM."""
    metadata = vm["metadata"]
    return digest(
        metadata["uid"],
        metadata.get("generation", 0),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
    )


def source(vm: dict[str, Any]) -> Source:
    """Return how a status names the VM."""
    metadata = vm["metadata"]
    return Source(metadata["uid"], metadata.get("generation", 0), metadata["resourceVersion"])
