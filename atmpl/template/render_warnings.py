"""The warnings of a template. Each message names the danger and the remedy."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from atmpl.template.addresses import address_paths
from atmpl.template.data_volumes import FIELD, data_volume_names
from atmpl.template.json_path import INSTANCE, Path, dotted
from atmpl.template.leaves import is_memory_dump
from atmpl.template.options import RenderOptions
from atmpl.template.selection import NAME, Selection, unmatched_patterns
from atmpl.template.source_names import namespaced_references
from atmpl.template.source_vm import SourceVM, objects_in, value_at
from atmpl.template.text_secrets import SecretParameter

if TYPE_CHECKING:
    from atmpl.template.builder import TemplateBuilder

SHARED_DATA_VOLUMES: Final = "SharedDataVolumes"
SHARED_DISK: Final = "SharedDisk"
EMPTY_DISK: Final = "EmptyDisk"
INLINE_SECRET: Final = "InlineSecret"  # noqa: S105 # the name of a reason
SOURCE_ADDRESS: Final = "SourceAddress"
SOURCE_NAME: Final = "SourceName"
OTHER_NAMESPACE: Final = "OtherNamespace"
PINNED_TO_NODE: Final = "PinnedToNode"
LITERAL_NUMBER: Final = "LiteralNumber"
UNMATCHED_PATTERN: Final = "UnmatchedPattern"

MAX_LISTED: Final = 10  # parameters in a template's message
HOSTNAME_PATH: Final = (*INSTANCE, "hostname")
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
HARVESTER_CLAIMS: Final = "harvesterhci.io/volumeClaimTemplates"

MESSAGES: Final = {
    SHARED_DATA_VOLUMES: (
        "Each VM created from this template uses data volumes of the same names. {vm} already uses them, so in its "
        "namespace the first VM created from the template uses the source's disks. Use the option dataVolumes: Unique."
    ),
    SHARED_DISK: (
        "This volume keeps data on a disk that the template does not create, so each VM created from it uses the "
        "source's disk. Provide another disk for each VM, or set its parameter.{unique}"
    ),
    EMPTY_DISK: (
        "This data volume is created empty: a new VM does not get the source's data. Import the data, or set a source "
        "for it."
    ),
    INLINE_SECRET: (
        "This data of the source VM stays readable in the template, and users who may read the template can read the "
        "passwords and keys in it. Use the option secrets: Extract, or keep the data in a Secret."
    ),
    SOURCE_ADDRESS: (
        "This holds a network address of the source VM, so new VMs can use the address of the source. Remove it from "
        "the VM, or use another value in each new VM."
    ),
    SOURCE_NAME: (
        "This is the name of the source VM, and each VM created from the template gets it too, so Services that select "
        "the source also select the new VMs. {fix}"
    ),
    OTHER_NAMESPACE: (
        "This names an object in the namespace of the source VM, which a VM created from the template in another "
        "namespace cannot use. Create an object of the same name there."
    ),
    PINNED_TO_NODE: (
        "The VM can only run on one node, and so can each VM created from the template. Remove the constraint from the "
        "VM, or change its parameter."
    ),
    LITERAL_NUMBER: (
        "This number is too large for a parameter, which would round it, so it is literal in the template. To change "
        "it, edit the template's object."
    ),
    UNMATCHED_PATTERN: "The pattern matches no scalar of the VM's spec{console}, so it has no effect. {fix}",
}
PARAMETER_FIX: Final = "Set its parameter to another value for each new VM."
LABEL_FIX: Final = (
    "Use the option parameters.include: [template.metadata.labels.*], and set the new parameter for each new VM."
)
NAME_LABEL_FIX: Final = LABEL_FIX.replace("labels.*", "labels.name")  # `*` does not select a leaf `name` (rule 1)
HOSTNAME_FIX: Final = "Use the option identity: Fresh, with which each new VM has its own hostname."
READABLE_TEXT: Final = (
    "This text stays readable in the template, and {keys} can hold more passwords or keys. If so, remove them from "
    "the text, or use the option secrets: Require, with which each user supplies the whole text."
)

SHORT_MESSAGES: Final = {  # for the template's own message: its users do not see the request
    SHARED_DATA_VOLUMES: (
        "VMs made from this template use data volumes of the same names; in the namespace of the source VM, the first "
        "one already uses the source's disks."
    ),
    SHARED_DISK: "VMs made from this template use a disk that the source VM also uses; provide another disk for each.",
    EMPTY_DISK: "A disk of a new VM is empty.",
    INLINE_SECRET: "This template holds cloud-init or Ignition data of the source VM, perhaps with passwords or keys.",
    SOURCE_ADDRESS: "This template holds a network address of the source VM; change it in each new VM.",
    SOURCE_NAME: "New VMs get a label or hostname with the source VM's name, so its Services also select them.",
    OTHER_NAMESPACE: "This template names objects of the source VM's namespace; create the same in another namespace.",
    PINNED_TO_NODE: "New VMs can only run on the node of the source VM.",
    LITERAL_NUMBER: "A number of this template is too large for a parameter; edit the template to change it.",
}


class RenderWarning(NamedTuple):
    """A danger of a template: a reason (constants above), a message, and the VM path or pattern that causes it."""

    reason: str
    message: str
    path: str


def find_warnings(
    source: SourceVM, options: RenderOptions, namespace: str | None, builder: "TemplateBuilder"
) -> list[RenderWarning]:
    """Return all warnings of a template. `namespace` is the request's, if there is one."""
    warnings = [*_disk_warnings(source, options)]
    warnings += [_secret_warning(path, keys) for path, keys in builder.readable_secrets.items()]
    if options.identity == "Fresh":
        paths = address_paths(source, builder.remaining_texts)
        warnings += [_warning(SOURCE_ADDRESS, path) for path in paths]
    warnings += _name_warnings(source, options)
    if namespace and source.namespace and namespace != source.namespace:
        warnings += [_warning(OTHER_NAMESPACE, path) for path in namespaced_references(source)]
    warnings += [_warning(PINNED_TO_NODE, path) for path in _pinned(source)]
    warnings += [_warning(LITERAL_NUMBER, path) for path in builder.literal_numbers]
    for pattern, is_object in unmatched_patterns(options, source.spec):
        below_spec = pattern.removeprefix("spec.")
        if is_object:
            fix = f"Use {pattern}.** for all below it."
        elif below_spec != pattern and not unmatched_patterns(RenderOptions(include=(below_spec,)), source.spec):
            fix = f"Leave out `spec.`, because a pattern is a path below the VM's spec: {below_spec}."
        else:
            fix = "Check its spelling, or remove it."
        console = " (CPU and memory are literal under console: Complete)" if options.console == "Complete" else ""
        warnings.append(
            RenderWarning(UNMATCHED_PATTERN, MESSAGES[UNMATCHED_PATTERN].format(console=console, fix=fix), pattern)
        )
    return warnings


def template_message(warnings: list[RenderWarning], secrets: list[SecretParameter]) -> str | None:
    """Return the template's own message: each reason that its users must know, once, and the parameters of secrets."""
    reasons = {warning.reason for warning in warnings}
    texts = [text for reason, text in SHORT_MESSAGES.items() if reason in reasons]
    for text, is_generated in (("Secrets to set for each new VM", False), ("Secrets generated for each new VM", True)):
        if names := [secret.name for secret in secrets if secret.generated is is_generated]:
            more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
            texts.append(f"{text}: {', '.join(names[:MAX_LISTED])}{more}.")
    return " ".join(texts) or None


def _warning(reason: str, path: Path, **details: str) -> RenderWarning:
    message = MESSAGES[reason]
    return RenderWarning(reason, message.format(**details) if details else message, dotted(path))


def _secret_warning(path: Path, keys: tuple[str, ...] | None) -> RenderWarning:
    where = dotted(("spec", *path))
    if keys is None:
        return RenderWarning(INLINE_SECRET, MESSAGES[INLINE_SECRET], where)
    shown = ", ".join(key for key in keys if key.replace("-", "_").isidentifier())
    return RenderWarning(INLINE_SECRET, READABLE_TEXT.format(keys=shown or "a part of it"), where)


def _disk_warnings(source: SourceVM, options: RenderOptions) -> Iterable[RenderWarning]:
    if source.spec.get(FIELD) and options.data_volumes == "Preserve":
        vm = "The source VM"
        if "${" not in source.name and source.name.isprintable() and len(source.name) <= _MAX_NAME:
            where = f" in namespace {source.namespace}" if source.namespace and "${" not in source.namespace else ""
            vm = f"The source VM {source.name}{where}"
        yield _warning(SHARED_DATA_VOLUMES, ("spec", FIELD), vm=vm)
    unique = " dataVolumes: Unique does not cover it." if options.data_volumes == "Unique" else ""
    for path in _shared_disks(source):
        yield _warning(SHARED_DISK, path, unique=unique)
    for index, template in source.data_volume_templates:
        origin = value_at(template, "spec", "source")
        if type(origin) is dict and ("blank" in origin or "upload" in origin):
            yield _warning(EMPTY_DISK, ("spec", FIELD, index))


_MAX_NAME: Final = 253


def _shared_disks(source: SourceVM) -> Iterable[Path]:
    """Yield the paths of the volumes, and of the annotation, that keep data which the template does not create."""
    created = data_volume_names(source.spec)
    shared = [(index, volume.get("name")) for index, volume in source.volumes if _keeps_shared_data(volume, created)]
    all_disks = objects_in(value_at(source.instance, "domain", "devices", "disks")) if shared else []
    disks = {name: disk for _, disk in all_disks if type(name := disk.get("name")) is str}
    for index, name in shared:
        disk = disks.get(name) if type(name) is str else None
        if not (disk and _is_harmless(disk)):
            yield ("spec", *INSTANCE, "volumes", index)
    if HARVESTER_CLAIMS in source.annotations:
        yield ("metadata", "annotations", HARVESTER_CLAIMS)


def _keeps_shared_data(volume: dict[str, Any], created: frozenset[str]) -> bool:
    if is_memory_dump(volume):
        return False
    claim = volume.get("persistentVolumeClaim")
    if type(claim) is dict and not _is_created(claim.get("claimName"), created) and claim.get("readOnly") is not True:
        return True
    overlay = value_at(volume, "ephemeral", "persistentVolumeClaim")
    if type(overlay) is dict and not _is_created(overlay.get("claimName"), created):
        return True
    data_volume = volume.get("dataVolume")
    if type(data_volume) is dict and not _is_created(data_volume.get("name"), created):
        return True
    return type(volume.get("hostDisk")) is dict


def _is_created(name: Any, created: frozenset[str]) -> bool:
    return type(name) is str and name in created


def _is_harmless(disk: dict[str, Any]) -> bool:
    """Return True if a disk is only read, or is shared on purpose."""
    cdrom = disk.get("cdrom")
    if type(cdrom) is dict and cdrom.get("readonly") is not False:
        return True
    return disk.get("shareable") is True or any(value_at(disk, kind, "readonly") is True for kind in ("disk", "lun"))


def _name_warnings(source: SourceVM, options: RenderOptions) -> Iterable[RenderWarning]:
    selection = Selection(options)
    for path in _source_names(source, options):
        label_fix = NAME_LABEL_FIX if path[-1] == NAME else LABEL_FIX
        fix = HOSTNAME_FIX if path[1:] == HOSTNAME_PATH else label_fix
        yield _warning(SOURCE_NAME, path, fix=PARAMETER_FIX if selection.is_selected(path[1:]) else fix)


def _source_names(source: SourceVM, options: RenderOptions) -> Iterable[Path]:
    for key, value in source.template_labels.items():
        if value == source.name:
            yield ("spec", "template", "metadata", "labels", key)
    if options.identity == "Preserve" and source.instance.get("hostname") == source.name:
        yield ("spec", *HOSTNAME_PATH)


def _pinned(source: SourceVM) -> Iterable[Path]:
    selector = source.instance.get("nodeSelector")
    if type(selector) is dict and HOSTNAME_LABEL in selector:
        yield ("spec", *INSTANCE, "nodeSelector", HOSTNAME_LABEL)
    affinity = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    for index, term in objects_in(value_at(source.instance, *affinity)):
        for field, key in (("matchExpressions", HOSTNAME_LABEL), ("matchFields", "metadata.name")):
            for position, expression in objects_in(term.get(field)):
                if expression.get("key") == key and expression.get("operator") in ("In", None):
                    yield ("spec", *INSTANCE, *affinity, index, field, position)
