"""Rule 7: data volumes, which KubeVirt finds by name alone."""

from typing import Any, Final

from atmpl.template.errors import RenderError
from atmpl.template.json_path import dotted
from atmpl.template.leaves import SUFFIXED
from atmpl.template.references import holds_reference

FIELD: Final = "dataVolumeTemplates"  # of a VM's spec

_LONGEST: Final = 253 - len("-00000")  # characters of a data volume's name that takes the suffix: a DNS subdomain

SUFFIX: Final = {
    "name": "SUFFIX",
    "displayName": "Suffix",
    "description": "suffix: ends the names of this VM's data volumes, so that no two VMs share a disk",
    "generate": "expression",
    "from": "[a-z0-9]{5}",
}


def names(spec: dict[str, Any]) -> frozenset[str]:
    """Return the data volumes' names in a VM's `spec`. Raises RenderError for one that takes no suffix."""
    return frozenset(metadata["name"] for metadata in _named(spec.get(FIELD)))


def append_suffix(templates: Any) -> None:
    """Append the suffix to each name in `templates`, a VM's dataVolumeTemplates, in place."""
    for metadata in _named(templates):
        metadata["name"] += SUFFIXED


def _named(templates: Any) -> list[dict[str, Any]]:
    """Return the metadata of each data volume template that has a name. One that a server names is nobody else's."""
    found = []
    for index, template in enumerate(templates if isinstance(templates, list) else ()):
        metadata = template.get("metadata") if isinstance(template, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
            continue
        path = dotted(("spec", FIELD, index, "metadata", "name"))
        if holds_reference(name):
            raise RenderError(path, "holds a ${...}, so it takes no suffix; rename it, or use dataVolumes: Preserve")
        if len(name) > _LONGEST:
            why = (
                f"is longer than {_LONGEST} characters, so it takes no suffix; rename it, or use dataVolumes: Preserve"
            )
            raise RenderError(path, why)
        found.append(metadata)
    return found
