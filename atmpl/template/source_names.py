"""Names in a VM that refer to objects of its namespace. The warning OtherNamespace."""

from collections.abc import Iterable
from typing import Any, Final

from atmpl.template.data_volumes import FIELD, data_volume_names
from atmpl.template.json_path import INSTANCE, Path
from atmpl.template.source_vm import SourceVM, value_at

# Below `spec`: the path of a name; `int` is any list index.
REFERENCES: Final[tuple[tuple[str | type[int], ...], ...]] = (
    *(
        (*INSTANCE, "volumes", int, *rest)
        for rest in (
            ("secret", "secretName"),
            ("configMap", "name"),
            ("serviceAccount", "serviceAccountName"),
            ("sysprep", "secret", "name"),
            ("sysprep", "configMap", "name"),
            ("containerDisk", "imagePullSecret"),
            ("cloudInitNoCloud", "secretRef", "name"),
            ("cloudInitNoCloud", "networkDataSecretRef", "name"),
            ("cloudInitConfigDrive", "secretRef", "name"),
            ("cloudInitConfigDrive", "networkDataSecretRef", "name"),
        )
    ),
    ("template", "spec", "domain", "firmware", "kernelBoot", "container", "imagePullSecret"),
    ("template", "spec", "accessCredentials", int, "sshPublicKey", "source", "secret", "secretName"),
    ("template", "spec", "accessCredentials", int, "userPassword", "source", "secret", "secretName"),
    *(
        (FIELD, int, "spec", "source", kind, *rest)
        for kind in ("http", "s3", "gcs", "registry", "imageio", "vddk")
        for rest in (("secretRef",), ("certConfigMap",))
    ),
)
DISKS: Final = (  # a claim, except one that a data volume template creates
    ("persistentVolumeClaim", "claimName"),
    ("ephemeral", "persistentVolumeClaim", "claimName"),
    ("dataVolume", "name"),
)
# Objects with a `name` and a `namespace`; without a namespace the name is one of the VM's.
WITH_NAMESPACE: Final[tuple[tuple[str | type[int], ...], ...]] = (
    (FIELD, int, "spec", "source", "pvc"),
    (FIELD, int, "spec", "source", "snapshot"),
    (FIELD, int, "spec", "sourceRef"),
)
MATCHERS: Final = (("instancetype", "VirtualMachineInstancetype"), ("preference", "VirtualMachinePreference"))


def namespaced_references(source: SourceVM) -> Iterable[Path]:
    """Yield the paths, from the VM's root, of the names that refer to objects of the VM's namespace."""
    for pattern in REFERENCES:
        for path, name in _at(source.spec, pattern):
            if name and type(name) is str:
                yield ("spec", *path)
    created = data_volume_names(source.spec)
    for index, volume in source.volumes:
        for keys in DISKS:
            name = value_at(volume, *keys)
            if type(name) is str and name and name not in created:
                yield ("spec", *INSTANCE, "volumes", index, *keys)
    for path, network in _at(source.spec, (*INSTANCE, "networks", int, "multus", "networkName")):  # type: ignore[arg-type]
        if type(network) is str and network and "/" not in network:
            yield ("spec", *path)
    for pattern in WITH_NAMESPACE:
        for path, reference in _at(source.spec, pattern):
            name = value_at(reference, "name")
            if type(name) is str and name and not reference.get("namespace") and name not in created:
                yield ("spec", *path, "name")
    for field, kind in MATCHERS:
        if value_at(source.spec, field, "kind") == kind and value_at(source.spec, field, "name"):
            yield ("spec", field, "name")


def _at(value: Any, pattern: tuple[str | type[int], ...], path: Path = ()) -> Iterable[tuple[Path, Any]]:
    """Yield each value at `pattern` below `value`, with its path."""
    if not pattern:
        yield path, value
        return
    key, rest = pattern[0], pattern[1:]
    if isinstance(key, str):
        if type(value) is dict and key in value:
            yield from _at(value[key], rest, (*path, key))
    elif type(value) is list:
        for index, item in enumerate(value):
            yield from _at(item, rest, (*path, index))
