"""The source VM: its fields that the rules use, validated."""

from dataclasses import dataclass
from typing import Any, Final

from atmpl.template.errors import RenderError
from atmpl.template.json_path import Path, dotted
from atmpl.template.validation import json_type_name

FIELDS: Final = frozenset(("apiVersion", "kind", "metadata", "spec", "status"))  # of a VirtualMachine


@dataclass(frozen=True, slots=True)
class SourceVM:
    """A parsed VM. Its parts belong to the caller's object and must not be changed."""

    api_version: str
    name: str
    namespace: str | None
    uid: str | None
    generation: int | None
    metadata: dict[str, Any]
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: dict[str, Any]

    @property
    def instance(self) -> dict[str, Any]:
        """Return the VirtualMachineInstanceSpec."""
        instance: dict[str, Any] = self.spec["template"]["spec"]
        return instance

    @property
    def template_metadata(self) -> dict[str, Any]:
        """Return spec.template.metadata; empty if it is not an object."""
        metadata = self.spec["template"].get("metadata")
        return metadata if type(metadata) is dict else {}

    @property
    def template_labels(self) -> dict[str, str]:
        """Return the labels of spec.template.metadata."""
        return self.template_metadata.get("labels") or {}

    @property
    def template_annotations(self) -> dict[str, str]:
        """Return the annotations of spec.template.metadata."""
        return self.template_metadata.get("annotations") or {}

    @property
    def volumes(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the volumes that are objects, with their indexes."""
        return objects_in(self.instance.get("volumes"))

    @property
    def data_volume_templates(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the dataVolumeTemplates that are objects, with their indexes."""
        return objects_in(self.spec.get("dataVolumeTemplates"))


def objects_in(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Return the items of a list that are objects, with their indexes; nothing if `value` is not a list."""
    return [(index, item) for index, item in enumerate(value) if type(item) is dict] if type(value) is list else []


def value_at(value: Any, *keys: str) -> Any:
    """Return what `value` holds at the path `keys`; None if it does not exist."""
    for key in keys:
        if type(value) is not dict:
            return None
        value = value.get(key)
    return value


def parse_vm(vm: dict[str, Any]) -> SourceVM:
    """Return the parsed `vm`. Raises RenderError if no template can be rendered from it."""
    for key in vm:
        if key not in FIELDS:
            why = "is not a field of a VirtualMachine; check its indentation, or remove it"
            if key.startswith("\ufeff"):
                why = "begins with a byte order mark; remove it from the file"
            raise RenderError(dotted((key,)), why)
    api_version = vm.get("apiVersion")
    if not isinstance(api_version, str) or not api_version.startswith("kubevirt.io/") or "${" in api_version:
        raise RenderError("apiVersion", f"is {_quoted(api_version)}; pass a VirtualMachine of kubevirt.io/v1")
    if vm.get("kind") != "VirtualMachine":
        raise RenderError("kind", f"is {_quoted(vm.get('kind'))}; pass a VirtualMachine")
    metadata = _object(vm, "metadata")
    name = metadata.get("name")
    if name is not None and not isinstance(name, str):
        raise RenderError("metadata.name", f"is {json_type_name(name)}; a VM's name is a string")
    if not name:
        raise RenderError("metadata.name", "is missing; give the VM a name")
    spec = _object(vm, "spec")
    template = _object(spec, "template", ("spec",))
    _object(template, "spec", ("spec", "template"))
    labels, annotations = _metadata_maps(metadata, ("metadata",))
    if isinstance(template.get("metadata"), dict):
        _metadata_maps(template["metadata"], ("spec", "template", "metadata"))
    namespace, uid, generation = metadata.get("namespace"), metadata.get("uid"), metadata.get("generation")
    return SourceVM(
        api_version=api_version,
        name=name,
        namespace=namespace if isinstance(namespace, str) and namespace else None,
        uid=uid if isinstance(uid, str) and uid else None,
        generation=generation if type(generation) is int else None,
        metadata=metadata,
        labels=labels,
        annotations=annotations,
        spec=spec,
    )


def _metadata_maps(metadata: dict[str, Any], path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the labels and annotations of `metadata`. Raises RenderError if a value is not a string."""
    maps: list[dict[str, str]] = []
    for field, word in (("labels", "a label"), ("annotations", "an annotation")):
        values = {} if metadata.get(field) is None else _object(metadata, field, path)
        for key, value in values.items():
            if not isinstance(value, str):
                why = f"is {json_type_name(value)}; the value of {word} is a string, so write it in quotes"
                raise RenderError(dotted((*path, field, key)), why)
        maps.append(values)
    return maps[0], maps[1]


def _object(parent: dict[str, Any], key: str, path: Path = ()) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        raise RenderError(dotted((*path, key)), "is missing; pass the complete VirtualMachine")
    if not isinstance(value, dict):
        raise RenderError(dotted((*path, key)), f"is {json_type_name(value)}; it must be an object")
    return value


def _quoted(value: object) -> str:
    """Return an apiVersion or a kind for an error message, short and printable."""
    if value is None:
        return "missing"
    return f"{value!r:.60}" if isinstance(value, str) else json_type_name(value)
