"""The digest of a VM: it changes if the template of the VM would change."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from atmpl.controller.outcome import Source
from atmpl.template.rules import keeps_annotation, keeps_label
from atmpl.version import __version__


def digest(uid: str, generation: int, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return 32 hex digits, computed from a VM's metadata.

    The generation represents the spec. Labels and annotations count if rule 10 keeps them. The version of atmpl counts
    because another version can render another template. The status does not count.
    """
    parts = [
        __version__,
        uid,
        generation,
        {key: value for key, value in labels.items() if keeps_label(key)},
        {key: value for key, value in annotations.items() if keeps_annotation(key)},
    ]
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def digest_of(vm: dict[str, Any]) -> str:
    """Return the digest of a complete VM."""
    metadata = vm["metadata"]
    return digest(
        metadata["uid"],
        metadata.get("generation", 0),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
    )


def source_of(vm: dict[str, Any]) -> Source:
    """Return the version of the VM for the status."""
    metadata = vm["metadata"]
    return Source(metadata["uid"], metadata.get("generation", 0), metadata["resourceVersion"])
