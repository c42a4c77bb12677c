"""Fields that Kubernetes does not know, such as a misspelled one or one with a wrong indentation.

A cluster drops them, or rejects the object. The commands do not use them either, so they report them.
"""

from collections.abc import Iterator
from typing import Any

from atmpl.template.json_path import Path, dotted
from atmpl.template.source_vm import objects_in, value_at

IGNORED = "not a known field, so it is ignored; check its spelling and its indentation, or remove it"

_OBJECT = frozenset(("apiVersion", "kind", "metadata"))
_METADATA = frozenset(  # ObjectMeta of apimachinery's meta/v1
    (
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
_PARAMETER = frozenset(("name", "displayName", "description", "value", "generate", "from", "required"))
_OPENSHIFT = _OBJECT | {"message", "objects", "parameters", "labels"}
_NATIVE = _OBJECT | {"spec", "status"}
_NATIVE_SPEC = frozenset(("virtualMachine", "parameters", "message"))


def unknown_template_fields(template: dict[str, Any]) -> Iterator[str]:
    """Yield the path of each unknown field of a template and its parameters, of either format."""
    is_openshift = template.get("kind") == "Template"
    spec: Any = template if is_openshift else template.get("spec")
    yield from _unknown(template, _OPENSHIFT if is_openshift else _NATIVE, ())
    yield from _unknown(template.get("metadata"), _METADATA, ("metadata",))
    path: Path = () if is_openshift else ("spec",)
    if not is_openshift:
        yield from _unknown(spec, _NATIVE_SPEC, path)
    for index, parameter in objects_in(value_at(spec, "parameters")):
        yield from _unknown(parameter, _PARAMETER, (*path, "parameters", index))


def unknown_vm_metadata(vm: dict[str, Any]) -> Iterator[str]:
    """Yield the path of each unknown field in the metadata of a VM and of its dataVolumeTemplates."""
    yield from _unknown(vm.get("metadata"), _METADATA, ("metadata",))
    for index, volume in objects_in(value_at(vm, "spec", "dataVolumeTemplates")):
        yield from _unknown(volume.get("metadata"), _METADATA, ("spec", "dataVolumeTemplates", index, "metadata"))


def _unknown(value: Any, known: frozenset[str], path: Path) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (dotted((*path, key)) for key in value if key not in known)
