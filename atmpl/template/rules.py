"""The tables of rules 1, 7, 8, 9, 10 and 12. Each entry has its reason.

The texts of the tables are for readers of this module. Users see `EXPLANATIONS` of `omissions.py`.
A path pattern is a path in which `int` is any list index.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from atmpl.template.json_path import Path

PathPattern: TypeAlias = tuple[str | type[int], ...]


def path_pattern(path: Path) -> PathPattern:
    """Return `path` with each list index replaced by `int`."""
    return tuple(int if isinstance(key, int) else key for key in path)


# Rule 1: the parameters of the profile Common, as patterns below the VM's spec.
COMMON: Final = (
    "instancetype.name",
    "preference.name",
    "template.spec.domain.cpu.cores",
    "template.spec.domain.cpu.sockets",
    "template.spec.domain.cpu.threads",
    "template.spec.domain.memory.guest",
    "template.spec.domain.resources.requests.cpu",
    "template.spec.domain.resources.requests.memory",
    "template.spec.domain.resources.limits.cpu",
    "template.spec.domain.resources.limits.memory",
    "template.spec.hostname",
    "template.spec.networks[*].multus.networkName",
    "template.spec.volumes[*].containerDisk.image",
    "template.spec.volumes[*].persistentVolumeClaim.claimName",
    "template.spec.volumes[*].ephemeral.persistentVolumeClaim.claimName",
    *(
        f"template.spec.volumes[*].{source}.{key}"
        for source in ("cloudInitNoCloud", "cloudInitConfigDrive")
        for key in ("userData", "userDataBase64", "networkData", "networkDataBase64")
    ),
    *(
        f"dataVolumeTemplates[*].spec.{storage}.{key}"
        for storage in ("storage", "pvc")
        for key in ("resources.requests.storage", "storageClassName")
    ),
    "dataVolumeTemplates[*].spec.source.**",
    "dataVolumeTemplates[*].spec.source.**.name",
    "dataVolumeTemplates[*].spec.sourceRef.name",
    "dataVolumeTemplates[*].spec.sourceRef.namespace",
)

# `console: Complete`: these stay literal. The console copies their unprocessed text into the VM, and the API server
# rejects it (seen).
CONSOLE_LITERAL: Final = (
    "template.spec.domain.cpu.cores",
    "template.spec.domain.cpu.sockets",
    "template.spec.domain.cpu.threads",
    "template.spec.domain.memory.guest",
    "template.spec.domain.resources.requests.cpu",
    "template.spec.domain.resources.requests.memory",
    "template.spec.domain.resources.limits.cpu",
    "template.spec.domain.resources.limits.memory",
)

# Reasons of `status.omitted`: what was left out of the template or blanked in it.
SOURCE_IDENTITY: Final = "SourceIdentity"
SOURCE_REVISION: Final = "SourceRevision"
SOURCE_RECORD: Final = "SourceRecord"
SOURCE_TEMPLATE: Final = "SourceTemplate"
TRACKING: Final = "TrackedByTool"
MEMORY_DUMP: Final = "MemoryDump"

# Rule 8, below spec.template.spec: fields whose default is empty with `identity: Fresh`, and why. A new last key needs
# a text in `EMPTY` of builder.py.
IDENTITY: Final[dict[PathPattern, str]] = {
    ("domain", "devices", "interfaces", int, "macAddress"): "two VMs with the same MAC address disturb each other",
    ("domain", "firmware", "uuid"): "KubeVirt generates one for each VM",
    ("domain", "firmware", "serial"): "KubeVirt generates one for each VM",
    ("domain", "chassis", "serial"): "identifies one machine",
    ("domain", "chassis", "asset"): "identifies one machine",
    ("domain", "launchSecurity", "sev", "session"): "is bound to one launch of the source VM",
    ("domain", "launchSecurity", "sev", "dhCert"): "is bound to one launch of the source VM",
}
# Also rule 8, but only if it equals the VM's name: KubeVirt uses each VM's own name if it is empty.
HOSTNAME: Final[PathPattern] = ("hostname",)

# Rule 8, annotations of the VM and of spec.template.metadata that hold addresses of the source VM.
IDENTITY_ANNOTATIONS: Final = {
    "harvesterhci.io/mac-address": "Harvester's webhook restores the source VM's MAC addresses from it",
    "network.harvesterhci.io/ips": "IP addresses of the source VM",
    "ovn.kubernetes.io/mac_address": "Kube-OVN assigns this MAC address",
    "ovn.kubernetes.io/ip_address": "Kube-OVN assigns this IP address",
    "*.ovn.kubernetes.io/mac_address": "Kube-OVN assigns this MAC address",
    "*.ovn.kubernetes.io/ip_address": "Kube-OVN assigns this IP address",
    "cni.projectcalico.org/ipAddrs": "Calico assigns these IP addresses",
    "cni.projectcalico.org/ipAddrsNoIpam": "Calico assigns these IP addresses",
    "cni.projectcalico.org/hwAddr": "Calico assigns this MAC address",
    "network.kubevirt.io/addresses": "KubeVirt assigns these addresses",
}

# Rule 8, below spec: what is dropped under any option, and why.
REVISIONS: Final[dict[tuple[str, str], str]] = {
    ("instancetype", "revisionName"): "names the source VM's own ControllerRevision",
    ("preference", "revisionName"): "names the source VM's own ControllerRevision",
}

# Rule 9, below spec.template.spec: what can hold a password or a key, and why.
SECRETS: Final[dict[PathPattern, str]] = {
    ("volumes", int, source, key): why
    for source in ("cloudInitNoCloud", "cloudInitConfigDrive")
    for key, why in (
        ("userData", "cloud-init's user data sets passwords and keys"),
        ("userDataBase64", "the same, encoded"),
        ("networkData", "can hold the keys of a wireless network or a tunnel"),
        ("networkDataBase64", "the same, encoded"),
    )
}
IGNITION: Final = "kubevirt.io/ignitiondata"  # rule 9: an annotation of spec.template.metadata
IGNITION_PARAMETER: Final = "IGNITION_DATA"

# The last keys of the tables of rules 8 and 9, to skip most leaves early.
SPECIAL_KEYS: Final = frozenset((*(str(pattern[-1]) for pattern in (*IDENTITY, *SECRETS, HOSTNAME)), IGNITION))

# Rule 7: of a data volume template's metadata only these fields stay, without these annotations.
DATA_VOLUME_METADATA: Final = ("name", "labels", "annotations")
DROPPED_DATA_VOLUME_ANNOTATIONS: Final = {
    "cdi.kubevirt.io/storage.prePopulated": "CDI then expects that the disk exists",
    "cdi.kubevirt.io/storage.checkStaticVolume": "CDI then expects that the volume exists",
}

# Rule 10: metadata of the VM itself that belongs to the source VM: (reason of `status.omitted`, why). `*` is any text.
DROPPED_ANNOTATIONS: Final = {
    "kubectl.kubernetes.io/last-applied-configuration": (SOURCE_RECORD, "kubectl's record of the source VM"),
    "kubevirt.io/latest-observed-api-version": (SOURCE_RECORD, "KubeVirt writes it"),
    "kubevirt.io/storage-observed-api-version": (SOURCE_RECORD, "KubeVirt writes it"),
    "kubemacpool.io/*": (SOURCE_RECORD, "KubeMacPool's record of the source VM's addresses"),
    "restore.kubevirt.io/*": (SOURCE_RECORD, "a restore of the source VM"),
    "vm.kubevirt.io/template*": (SOURCE_TEMPLATE, "names the template that the source VM was created from"),
}
DROPPED_LABELS: Final = {
    "vm.kubevirt.io/template*": (SOURCE_TEMPLATE, "names the template that the source VM was created from"),
}

# Rule 10: labels and annotations of the VM itself by which a tool finds the objects that it prunes, adopts or deletes.
TRACKING_METADATA: Final = {
    "argocd.argoproj.io/instance": "Argo CD prunes an object with it that is not in Git",
    "argocd.argoproj.io/tracking-id": "Argo CD prunes an object with it that is not in Git",
    "app.kubernetes.io/instance": "Argo CD before 3.0 tracks by this label alone, and prunes a copy with its disks",
    "meta.helm.sh/*": "Helm adopts the object into the source VM's release",
    "helm.toolkit.fluxcd.io/*": "Flux prunes an object with it that is not in Git",
    "kustomize.toolkit.fluxcd.io/*": "Flux prunes an object with it that is not in Git",
    "objectset.rio.cattle.io/*": "Rancher deletes an object with it that is not in its object set",
    "fleet.cattle.io/*": "Fleet deletes an object with it that is not in its bundle",
    "kapp.k14s.io/*": "kapp deletes an object with it that is not in its app",
    "config.k8s.io/owning-inventory": "kpt and cli-utils prune an object with it that is not in their inventory",
    "applyset.kubernetes.io/part-of": "kubectl prunes an object with it that is not in its apply set",
    "velero.io/backup-name": "Velero's record of the source VM",
    "velero.io/restore-name": "Velero deletes the objects of a restore by it",
    "template.openshift.io/template-instance-owner": "OpenShift deletes the objects of a template instance by it",
}
# Only if all three are present: forklift finds the VMs of a migration by them.
FORKLIFT_LABELS: Final = frozenset(("plan", "migration", "vmID"))

# Fields of `metadata` that are replaced (rule 5) or that the API server sets on each object: not in `status.omitted`.
SERVER_METADATA: Final = frozenset(
    (
        *("name", "generateName", "namespace", "labels", "annotations", "uid", "resourceVersion", "generation"),
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"),
    )
)

# Rule 12: labels and annotations of the VM that the template also has, and why.
COPIED_LABELS: Final = {
    "os.template.kubevirt.io/*": "the OpenShift console shows and filters templates by it",
    "workload.template.kubevirt.io/*": "the OpenShift console shows and filters templates by it",
    "flavor.template.kubevirt.io/*": "the OpenShift console shows and filters templates by it",
}
COPIED_ANNOTATIONS: Final = {
    "vm.kubevirt.io/validations": "SSP's webhook checks the VMs that are created from a template by it",
}


def _names(table: Iterable[str]) -> re.Pattern[str]:
    """Return an expression that matches the names of `table`; `*` in a name is any text."""
    return re.compile("|".join(re.escape(name).replace(r"\*", r"[\s\S]*") for name in table))


_ANNOTATIONS: Final = _names((*DROPPED_ANNOTATIONS, *TRACKING_METADATA))
_LABELS: Final = _names((*DROPPED_LABELS, *TRACKING_METADATA))
_IDENTITY_ANNOTATIONS: Final = _names(IDENTITY_ANNOTATIONS)
_TRACKING: Final = _names(TRACKING_METADATA)
_COPIED: Final = _names(COPIED_LABELS)
_TABLES: Final = tuple(
    (_names((name,)), reason) for table in (DROPPED_ANNOTATIONS, DROPPED_LABELS) for name, (reason, _) in table.items()
)


# The VMs of a cluster have the same keys, and an expression takes longer than all other work on a key.
_cached: Final = lru_cache(maxsize=4096)


@_cached
def keeps_annotation(key: str) -> bool:
    """Return True if a new VM gets the source VM's annotation `key`. Rule 10."""
    return not _ANNOTATIONS.fullmatch(key)


@_cached
def keeps_label(key: str) -> bool:
    """Return True if a new VM gets the source VM's label `key`. Rule 10, except for forklift's labels."""
    return not _LABELS.fullmatch(key)


@_cached
def is_identity_annotation(key: str) -> bool:
    """Return True if an annotation holds addresses of the source VM. Rule 8."""
    return _IDENTITY_ANNOTATIONS.fullmatch(key) is not None


def kept_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of the VM that a new VM gets too. Rule 10."""
    dropped = FORKLIFT_LABELS if labels.keys() >= FORKLIFT_LABELS else frozenset[str]()
    return {key: value for key, value in labels.items() if key not in dropped and keeps_label(key)}


def kept_annotations(annotations: Mapping[str, Any], *, fresh: bool) -> dict[str, Any]:
    """Return the annotations of the VM that a new VM gets too. Rules 8 and 10; `fresh` is `identity: Fresh`."""
    return {
        key: value
        for key, value in annotations.items()
        if keeps_annotation(key) and not (fresh and is_identity_annotation(key))
    }


def drop_reason(key: str) -> str:
    """Return the reason why the VM's label or annotation `key`, which is not kept, is left out."""
    if _TRACKING.fullmatch(key) or key in FORKLIFT_LABELS:
        return TRACKING
    for expression, reason in _TABLES:
        if expression.fullmatch(key):
            return reason
    return SOURCE_IDENTITY


@_cached
def copies_label(key: str) -> bool:
    """Return True if the template also has the source VM's label `key`. Rule 12."""
    return _COPIED.fullmatch(key) is not None
