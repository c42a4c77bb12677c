"""Rule 7: data volumes, which KubeVirt finds by name."""

from typing import Any, Final

from atmpl.template.errors import RenderError
from atmpl.template.json_path import Path, dotted
from atmpl.template.references import holds_reference
from atmpl.template.source_vm import SourceVM, value_at

FIELD: Final = "dataVolumeTemplates"  # of a VM's spec
SUFFIX_REFERENCE: Final = "-${SUFFIX}"

_MAX_NAME: Final = 253 - len("-00000")  # characters of a data volume's name with the suffix: a DNS subdomain

SUFFIX: Final = {
    "name": "SUFFIX",
    "displayName": "Suffix",
    "description": "suffix: ends the names of this VM's data volumes, so that no two VMs share a disk",
    "generate": "expression",
    "from": "[a-z0-9]{5}",
}


def data_volume_names(spec: dict[str, Any]) -> frozenset[str]:
    """Return the names of the data volumes in a VM's `spec`."""
    templates = spec.get(FIELD)
    names = (value_at(template, "metadata", "name") for template in (templates if type(templates) is list else ()))
    return frozenset(name for name in names if type(name) is str and name)


def unique_data_volumes(source: SourceVM) -> frozenset[str]:
    """Return the names of the data volumes that get a suffix. Raises RenderError for one that cannot get it."""
    for index, template in source.data_volume_templates:
        name = value_at(template, "metadata", "name")
        if type(name) is not str:
            continue
        path = dotted(("spec", FIELD, index, "metadata", "name"))
        if holds_reference(name):
            why = "holds a ${...}, so no suffix can be added; rename it, or use dataVolumes: Preserve"
            raise RenderError(path, why)
        if len(name) > _MAX_NAME:
            why = f"has more than {_MAX_NAME} characters; rename it, or use dataVolumes: Preserve"
            raise RenderError(path, why)
    return data_volume_names(source.spec)


def names_data_volume(path: Path, key: str | int) -> bool:
    """Return True if the leaf `key` of the object at `path`, inside the instance, names a data volume."""
    return key == "claimName" or (key == "name" and path[-1:] == ("dataVolume",))


def copies_sibling(claim: Any, names: frozenset[str], namespace: str | None) -> bool:
    """Return True if `claim`, the `source.pvc` of a data volume template, is a data volume of the same VM."""
    return (
        type(claim) is dict
        and type(claim.get("name")) is str
        and claim["name"] in names
        and (not claim.get("namespace") or claim["namespace"] == namespace)
    )
