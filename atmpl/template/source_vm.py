"""What a VM says of itself: the fields that the rules work on, checked where a template depends on them."""

from typing import Any, NamedTuple

from atmpl.template import kinds
from atmpl.template.errors import RenderError
from atmpl.template.json_path import dotted
from atmpl.template.rules import keeps_annotation, keeps_label


class Source(NamedTuple):
    """A VM, read: parts of the caller's own object, never to be changed."""

    api_version: str
    name: str
    namespace: str | None
    uid: str | None
    generation: int | None
    own_labels: dict[str, str]  # all of them
    own_annotations: dict[str, Any]
    spec: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """The labels that a new VM gets too. Rule 10."""
        return {key: value for key, value in self.own_labels.items() if keeps_label(key)}

    @property
    def annotations(self) -> dict[str, Any]:
        """The annotations that a new VM gets too. Rule 10."""
        return {key: value for key, value in self.own_annotations.items() if keeps_annotation(key)}

    @property
    def instance(self) -> dict[str, Any]:
        """The VirtualMachineInstanceSpec."""
        instance: dict[str, Any] = self.spec["template"]["spec"]
        return instance


def read(vm: dict[str, Any]) -> Source:
    """Return what `vm` says of itself. Raises RenderError where it is no VM that a template can be made of."""
    api_version = vm.get("apiVersion")
    if not isinstance(api_version, str) or not api_version.startswith("kubevirt.io/") or "${" in api_version:
        raise RenderError("apiVersion", f"is {_named(api_version)}; give a VirtualMachine of kubevirt.io/v1")
    if vm.get("kind") != "VirtualMachine":
        raise RenderError("kind", f"is {_named(vm.get('kind'))}; give a VirtualMachine")
    metadata = _mapping(vm, "metadata")
    name = metadata.get("name")
    if name is not None and not isinstance(name, str):
        raise RenderError("metadata.name", f"is {kinds.word(name)}; a VM's name is a string")
    if not name:
        raise RenderError("metadata.name", "the VM has none; give it a name")
    spec = _mapping(vm, "spec")
    _mapping(_mapping(spec, "template", ("spec",)), "spec", ("spec", "template"))
    labels = _optional(metadata, "labels")
    for key, value in labels.items():
        if not isinstance(value, str):
            raise RenderError(
                dotted(("metadata", "labels", key)), f"is {kinds.word(value)}; a label's value is a string"
            )
    namespace, uid, generation = metadata.get("namespace"), metadata.get("uid"), metadata.get("generation")
    return Source(
        api_version=api_version,
        name=name,
        namespace=namespace if isinstance(namespace, str) and namespace else None,
        uid=uid if isinstance(uid, str) and uid else None,
        generation=generation if type(generation) is int else None,
        own_labels=labels,
        own_annotations=_optional(metadata, "annotations"),
        spec=spec,
    )


def _mapping(parent: dict[str, Any], key: str, path: tuple[str, ...] = ()) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        raise RenderError(dotted((*path, key)), "the VM has none; give the whole VirtualMachine")
    if not isinstance(value, dict):
        raise RenderError(dotted((*path, key)), f"is {kinds.word(value)}; it must be an object")
    return value


def _optional(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    return {} if metadata.get(key) is None else _mapping(metadata, key, ("metadata",))


def _named(value: object) -> str:
    """Return an apiVersion or a kind for an error, short and printable: it says what a thing is, not what is in it."""
    if value is None:
        return "missing"
    return f"{value!r:.60}" if isinstance(value, str) else kinds.word(value)
