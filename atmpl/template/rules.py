"""The design's tables: rules 8, 9, 10 and 12. A shape is a path in which `int` stands for any list index."""

import re
from typing import Final, TypeAlias

from atmpl.template.json_path import Path

Shape: TypeAlias = tuple[str | type[int], ...]


def shape(path: Path) -> Shape:
    """Return the shape of `path`."""
    return tuple(int if isinstance(key, int) else key for key in path)


# Rule 8, below spec.template.spec: what a fresh instance must not take over from the source VM, and why.
IDENTITY: Final[dict[Shape, str]] = {
    ("domain", "devices", "interfaces", int, "macAddress"): "two VMs with one MAC address disturb each other's network",
    ("domain", "firmware", "uuid"): "KubeVirt writes one into every VM at creation",
    ("domain", "firmware", "serial"): "KubeVirt writes one into every VM at creation",
    ("domain", "chassis", "serial"): "names one machine",
    ("domain", "chassis", "asset"): "names one machine",
}

# Rule 8, below spec: what is dropped, and why.
REVISIONS: Final[dict[tuple[str, str], str]] = {
    ("instancetype", "revisionName"): "names the source VM's own ControllerRevision",
    ("preference", "revisionName"): "names the source VM's own ControllerRevision",
}

# Rule 9, below spec.template.spec: what may hold a password or a key, and why.
SECRETS: Final[dict[Shape, str]] = {
    ("volumes", int, source, key): why
    for source in ("cloudInitNoCloud", "cloudInitConfigDrive")
    for key, why in (
        ("userData", "cloud-init's user data sets passwords and keys"),
        ("userDataBase64", "the same, encoded"),
        ("networkData", "may hold the keys of a wireless network or a tunnel"),
        ("networkDataBase64", "the same, encoded"),
    )
}

TREATED: Final = frozenset(
    key[-1] for key in (*IDENTITY, *SECRETS)
)  # last keys of rules 8 and 9: others are quickly done

# Rule 10: the VM's own metadata that belongs to that one VM, and why. A name that ends with `*` is a prefix.
DROPPED_ANNOTATIONS: Final = {
    "kubectl.kubernetes.io/last-applied-configuration": "the source VM's own, as kubectl last applied it",
    "kubevirt.io/latest-observed-api-version": "KubeVirt writes it",
    "kubevirt.io/storage-observed-api-version": "KubeVirt writes it",
    "kubemacpool.io/*": "KubeMacPool's record of the source VM's addresses",
    "restore.kubevirt.io/*": "a restore of the source VM",
}
DROPPED_LABELS: Final = {
    "vm.kubevirt.io/template*": "would tie the new VM to the template that the source VM came from",
}

# Rule 12: labels and annotations of the VM that the template has too, and why.
COPIED_LABELS: Final = {
    "os.template.kubevirt.io/*": "the OpenShift console shows and filters templates by it",
    "workload.template.kubevirt.io/*": "the OpenShift console shows and filters templates by it",
    "flavor.template.kubevirt.io/*": "the OpenShift console shows and filters templates by it",
}
COPIED_ANNOTATIONS: Final = {
    "vm.kubevirt.io/validations": "SSP's webhook checks the VMs made from a template by it",
}


def _pattern(table: dict[str, str]) -> re.Pattern[str]:
    return re.compile(
        "|".join(re.escape(name[:-1]) + r"[\s\S]*" if name.endswith("*") else re.escape(name) for name in table)
    )


_ANNOTATIONS: Final = _pattern(DROPPED_ANNOTATIONS)
_LABELS: Final = _pattern(DROPPED_LABELS)
_COPIED: Final = _pattern(COPIED_LABELS)


def keeps_annotation(key: str) -> bool:
    """Return whether a new VM gets the source VM's annotation `key`. Rule 10; raises nothing."""
    return not _ANNOTATIONS.fullmatch(key)


def keeps_label(key: str) -> bool:
    """Return whether a new VM gets the source VM's label `key`. Rule 10; raises nothing."""
    return not _LABELS.fullmatch(key)


def copies_label(key: str) -> bool:
    """Return whether the template has the source VM's label `key` too. Rule 12; raises nothing."""
    return bool(_COPIED.fullmatch(key))
