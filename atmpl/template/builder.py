"""Build the templated VM and its parameters. Rules 1 to 11."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from atmpl.template import data_volumes
from atmpl.template.cloud_config import ParsingBudget, is_readable_network_data, parse_cloud_config
from atmpl.template.data_volumes import SUFFIX_REFERENCE, copies_sibling, names_data_volume, unique_data_volumes
from atmpl.template.errors import RenderError
from atmpl.template.json_path import Path
from atmpl.template.leaf_names import IGNITION_PATH, LeafNames
from atmpl.template.leaves import Leaf, LeafWalker, item_name
from atmpl.template.literal_parameters import Literals
from atmpl.template.omissions import Omitted, data_volume_omissions, metadata_omissions, omit
from atmpl.template.options import RenderOptions
from atmpl.template.parameter_names import Name
from atmpl.template.path_patterns import States
from atmpl.template.references import EncodedValue, encode_value
from atmpl.template.rules import (
    DATA_VOLUME_METADATA,
    DROPPED_DATA_VOLUME_ANNOTATIONS,
    HOSTNAME,
    IDENTITY,
    IGNITION,
    MEMORY_DUMP,
    REVISIONS,
    SECRETS,
    SOURCE_IDENTITY,
    SPECIAL_KEYS,
    is_identity_annotation,
    kept_annotations,
    kept_labels,
    path_pattern,
)
from atmpl.template.selection import Selection
from atmpl.template.source_vm import SourceVM
from atmpl.template.text_secrets import (
    ExtractedText,
    SecretParameter,
    extract_text,
    name_secrets,
    secret_parameter,
)

NAME_SUFFIX: Final = "[a-z0-9]{5}"  # what the API server appends to a generateName, as an expression
_MAX_PREFIX: Final = 58  # characters of a generateName that the API server keeps
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")  # no special characters in a generator's expression
_PARAMETER_BYTES: Final = 58  # of a parameter without its texts
_SOURCE_CLAIM: Final = ("spec", "source", "pvc")  # of a data volume template

EMPTY: Final[dict[str, str]] = {  # last key of an identity leaf: what an empty value means
    "macAddress": "empty: KubeVirt chooses one",
    "uuid": "empty: KubeVirt generates one",
    "serial": "empty: none, or one that KubeVirt generates",
    "asset": "empty: none",
    "session": "empty: none",
    "dhCert": "empty: none",
    "hostname": "empty: the name of the VM",
}
_TYPED_TEXT: Final = 'a value that parses as JSON must be JSON-encoded, such as "123"'
_SECURE_BOOT: Final = ("domain", "firmware", "bootloader", "efi", "secureBoot")
_SMM: Final = ("domain", "features", "smm", "enabled")


_FieldCopier: TypeAlias = Callable[[Any, Path, States], Any]


def name_prefix(name: str) -> str:
    """Return the beginning of the names of new VMs, as the API server cuts a generateName. Rule 5."""
    return f"{name}-"[:_MAX_PREFIX]


class TemplateBuilder:
    """Builds the templated VM. Then its attributes hold the other parts of the template."""

    def __init__(self, source: SourceVM, options: RenderOptions, *, extract: bool = True) -> None:
        """Prepare. Without `extract`, `secrets: Extract` requires all texts as a whole."""
        self.source = source
        self.options = options
        self.unique = unique_data_volumes(source) if options.data_volumes == "Unique" else frozenset[str]()
        self.suffix = dict(data_volumes.SUFFIX) if self.unique else None
        self.labels = kept_labels(source.labels)
        self.literals = Literals()
        self.parameters: list[dict[str, Any]] = []
        self.required_values: dict[str, str] = {}  # the VM's own values of parameters without a default
        self.omitted: list[Omitted] = []
        self.literal_numbers: list[Path] = []  # from the VM's root
        self.readable_secrets: dict[Path, tuple[str, ...] | None] = {}  # path below `spec`: keys that can hold more
        self.secrets: list[SecretParameter] = []
        self.remaining_texts: dict[Path, str] = {}  # path of a secret below `spec`: the text that stays readable
        self._budget = ParsingBudget()
        self._extract = extract and options.secrets == "Extract"
        self._fresh = options.identity == "Fresh"
        self._selection = Selection(options)
        self._walker = LeafWalker(self.literals, self._selection, self.unique)

    def vm(self) -> dict[str, Any]:
        """Return the templated VM. Rules 5, 6 and 10: only name, labels and annotations of its metadata; no status."""
        source = self.source
        metadata: dict[str, Any] = {}
        if self.options.has_name_parameter:
            metadata["name"] = "${NAME}"
            self.parameters.append(self._name_parameter())
        else:
            metadata["generateName"] = self.literals.value(f"{source.name}-")
        if self.options.console == "Complete":
            metadata["labels"] = self.literals.copy(self.labels, ("metadata", "labels"))
        else:
            metadata["labels"] = "${{LABELS}}"
        if annotations := kept_annotations(source.annotations, fresh=self._fresh):
            metadata["annotations"] = self.literals.copy(annotations, ("metadata", "annotations"))
        self.omitted += metadata_omissions(source, self.options)
        spec = self._spec()
        self._add_parameters()
        self.omitted += data_volume_omissions(source)
        self.omitted += [omit(MEMORY_DUMP, ("spec", *path)) for path in self._walker.dropped]
        return {"apiVersion": source.api_version, "kind": "VirtualMachine", "metadata": metadata, "spec": spec}

    def _name_parameter(self) -> dict[str, Any]:
        """Return the parameter NAME. Rule 5."""
        if not _PLAIN_NAME.fullmatch(self.source.name):
            raise RenderError("metadata.name", "is not a DNS name, so no names can be generated from it; rename the VM")
        return {
            "name": "NAME",
            "displayName": "Name",
            "description": "name: the name of the VM",
            "generate": "expression",
            "from": name_prefix(self.source.name) + NAME_SUFFIX,
        }

    def _spec(self) -> dict[str, Any]:
        """Return the templated spec. Rules 4 and 11, and the fields that other rules change."""
        special: dict[str, _FieldCopier] = {
            "template": self._template,
            data_volumes.FIELD: self._data_volumes,
            **{field: self._without_revision for field, _ in REVISIONS},
        }
        spec = self.source.spec
        copy: dict[str, Any] = {}
        for key, value in spec.items():
            path, states = (key,), self._selection.step(self._selection.start, key)
            if key == "running" and self.options.console == "Complete" and type(value) is bool:
                if "runStrategy" in spec:
                    continue
                key, value = "runStrategy", "Always" if value else "Halted"  # noqa: PLW2901 # the console's own field
            placeholder = self.literals.key(key, spec)
            copy[placeholder] = None
            if not self._walker.scalar(value, path, copy, placeholder, states):
                copy[placeholder] = special.get(key, self._walker.outside)(value, path, states)
        return copy

    def _template(self, template: dict[str, Any], path: Path, states: States) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        if self.options.console == "Complete" and template.get("metadata") is None:
            copy["metadata"] = {}  # the console sets labels in it
        for key, value in template.items():
            after = self._selection.step(states, key)
            placeholder = self.literals.key(key, template)
            if key == "spec":
                copy[placeholder] = self._walker.instance(value)
            elif key == "metadata" and type(value) is dict:
                copy[placeholder] = self._template_metadata(value, (*path, key), after)
            elif key not in copy and not self._walker.scalar(value, (*path, key), copy, placeholder, after):
                copy[placeholder] = self._walker.outside(value, (*path, key), after)
        return copy

    def _template_metadata(self, metadata: dict[str, Any], path: Path, states: States) -> dict[str, Any]:
        """Return spec.template.metadata. Rules 8 and 9: only its annotations change."""
        annotations = metadata.get("annotations")
        if type(annotations) is not dict or not annotations:
            copy: dict[str, Any] = self._walker.outside(metadata, path, states)
            return copy
        kept = {key: value for key, value in annotations.items() if not (self._fresh and is_identity_annotation(key))}
        ignition = kept.get(IGNITION)
        if ignition:
            kept[IGNITION] = ""  # until its leaf is treated
        metadata = {key: kept if key == "annotations" else value for key, value in metadata.items()}
        if not kept:
            del metadata["annotations"]
        copy = self._walker.outside(metadata, path, states)
        if ignition:
            selected = self._selection.is_selected(IGNITION_PATH)
            self._walker.leaves = [leaf for leaf in self._walker.leaves if leaf.path != IGNITION_PATH]
            self._walker.leaves.append(Leaf(IGNITION_PATH, ignition, copy["annotations"], IGNITION, selected))
        return copy

    def _data_volumes(self, templates: Any, path: Path, states: States) -> Any:
        """Return the dataVolumeTemplates. Rule 7."""
        if type(templates) is not list:
            return self._walker.outside(templates, path, states)
        copies: list[Any] = []
        for index, template in enumerate(templates):
            after = self._selection.step(states, index)
            pruned = prune_data_volume(template)
            copies.append(None)
            if self._walker.scalar(pruned, (*path, index), copies, index, after):
                continue
            before = len(self._walker.leaves)
            copies[index] = copy = self._walker.outside(pruned, (*path, index), after)
            if self.unique and type(pruned) is dict:
                references = self._append_suffix(pruned, copy, (*path, index))
                found = self._walker.leaves[before:]
                self._walker.leaves[before:] = [leaf for leaf in found if leaf.path not in references]
        return copies

    def _append_suffix(self, template: dict[str, Any], copy: dict[str, Any], path: Path) -> set[Path]:
        """Append the suffix to the names of data volumes in `copy`. Return their paths: they are not parameters."""
        paths: set[Path] = set()
        metadata = template.get("metadata")
        if type(metadata) is dict and type(metadata.get("name")) is str and metadata["name"]:
            copy["metadata"]["name"] = metadata["name"] + SUFFIX_REFERENCE
            paths.add((*path, "metadata", "name"))
        claim: Any = template
        for key in _SOURCE_CLAIM:
            claim = claim.get(key) if type(claim) is dict else None
        if copies_sibling(claim, self.unique, self.source.namespace):
            target = copy
            for key in _SOURCE_CLAIM:
                target = target[key]
            target["name"] = claim["name"] + SUFFIX_REFERENCE
            target.pop("namespace", None)
            paths |= {(*path, *_SOURCE_CLAIM, "name"), (*path, *_SOURCE_CLAIM, "namespace")}
        return paths

    def _without_revision(self, matcher: Any, path: Path, states: States) -> Any:
        """Return an instance type or preference reference. Rule 8."""
        if type(matcher) is dict:
            dropped = {key for field, key in REVISIONS if field == path[-1]}
            matcher = {key: value for key, value in matcher.items() if key not in dropped}
        return self._walker.outside(matcher, path, states)

    def _add_parameters(self) -> None:
        """Add the parameters of all leaves, in the order of the VM's keys. Rules 2, 3, 8 and 9."""
        leaves = self._walker.leaves
        names_of_leaves = LeafNames(
            leaves, self._walker.unselected, self.source.spec, console=self.options.console == "Complete"
        )
        names = names_of_leaves.names
        # Fail early: a too large template would first cost the whole rendering.
        named_leaves = zip(names, leaves, strict=True)
        self.literals.grow(sum([3 * len(name.name) + _PARAMETER_BYTES for name, leaf in named_leaves if leaf.selected]))
        texts = self._extracted_texts(leaves, names_of_leaves)
        for leaf, name in zip(leaves, names, strict=True):
            path, value, container, key, selected = leaf.path, leaf.value, leaf.container, leaf.key, leaf.selected
            rule = self._special_rule(leaf) if path[-1] in SPECIAL_KEYS else None
            if rule == "identity":
                if not selected:
                    del container[key]
                    self.omitted.append(omit(SOURCE_IDENTITY, ("spec", *path)))
                    continue
                if value != "":
                    self.omitted.append(omit(SOURCE_IDENTITY, ("spec", *path)))
                encoded = encode_value(value)
                typed = encoded is None or encoded.typed  # the form is that of the VM's own value
                note = EMPTY.get(str(path[-1]), "")
                self._parameter(leaf, name, EncodedValue(typed, ""), note)
                continue
            if rule == "secret" and self._secret(leaf, name, texts.get(path)):
                continue
            if not selected:
                container[key] = self.literals.copy(value, ("spec", *path))
                continue
            encoded = encode_value(value)
            if encoded is None:
                container[key] = value
                self.literal_numbers.append(("spec", *path))
                continue
            note = _TYPED_TEXT if encoded.typed and type(value) is str else ""
            if path[-1] == "secureBoot" and path[2:] == _SECURE_BOOT and leaf.is_inside:
                note = self._secure_boot_note(leaves, names)
            self._parameter(leaf, name, encoded, note)
        self._note_data_volume_names(leaves, names)

    def _special_rule(self, leaf: Leaf) -> str | None:
        """Return which table treats the leaf: `identity`, `secret` or None."""
        if leaf.path == IGNITION_PATH:
            return "secret"
        if not leaf.is_inside:
            return None
        pattern = path_pattern(leaf.path[2:])
        if pattern in SECRETS:
            return "secret" if leaf.value != "" else None  # an empty one holds no secret
        if self._fresh and (pattern in IDENTITY or (pattern == HOSTNAME and leaf.value == self.source.name)):
            return "identity"
        return None

    def _parameter(self, leaf: Leaf, name: Name, encoded: EncodedValue, note: str = "") -> None:
        """Add a parameter with a default, and the reference to it."""
        leaf.container[leaf.key] = name.typed_reference if encoded.typed else name.string_reference
        parameter = self._declaration(name, self._display(leaf, name), note)
        parameter["value"] = encoded.text
        self.parameters.append(parameter)

    def _required(self, leaf: Leaf, name: Name, note: str = "") -> None:
        """Add a required parameter without a default. A string uses `${P}`, so any text can be supplied."""
        encoded = encode_value(leaf.value) or EncodedValue(True, repr(leaf.value))
        is_text = type(leaf.value) is str
        leaf.container[leaf.key] = name.string_reference if is_text else name.typed_reference
        self.required_values[name.name] = leaf.value if is_text else encoded.text
        parameter = self._declaration(name, self._display(leaf, name), note)
        parameter["required"] = True
        self.parameters.append(parameter)

    def _declaration(self, name: Name, display: str, note: str) -> dict[str, Any]:
        description = f"{name.description} ({note})" if note else name.description
        return {"name": name.name, "displayName": display, "description": description}

    def _display(self, leaf: Leaf, name: Name) -> str:
        """Return what a form shows. It names the item of a list if the item has a name."""
        item, path = leaf.item, leaf.path
        if item is None and path[0] == data_volumes.FIELD and len(path) > 1 and type(path[1]) is int:
            template = self.source.spec[data_volumes.FIELD][path[1]]
            item = path[1], item_name(template.get("metadata") if type(template) is dict else None)
        if item is None or not item[1]:
            return name.display
        kind, separator, rest = name.display.partition(f" {item[0]} ")
        return f"{kind} {item[1]}: {rest}" if separator else name.display

    def _secure_boot_note(self, leaves: list[Leaf], names: list[Name]) -> str:
        """Return the parameter that must change too: KubeVirt rejects secure boot without SMM."""
        for leaf, name in zip(leaves, names, strict=True):
            if leaf.is_inside and leaf.path[2:] == _SMM and leaf.selected:
                return f"true requires {name.name} true"
        return ""

    def _note_data_volume_names(self, leaves: list[Leaf], names: list[Name]) -> None:
        """Add to the description of each parameter that names a data volume which others must change too."""
        volumes = data_volumes.data_volume_names(self.source.spec)
        if not volumes:
            return
        groups: dict[str, list[str]] = {}
        for leaf, name in zip(leaves, names, strict=True):
            if leaf.selected and type(leaf.value) is str and leaf.value in volumes and _names_data_volume(leaf):
                groups.setdefault(leaf.value, []).append(name.name)
        by_name = {parameter["name"]: parameter for parameter in self.parameters}
        for group in groups.values():
            for name_of_one in group if len(group) > 1 else ():
                others = ", ".join(other for other in group if other != name_of_one)
                by_name[name_of_one]["description"] += f" (change {others} too)"

    def _secret(self, leaf: Leaf, name: Name, extracted: ExtractedText | None) -> bool:
        """Treat a secret. Return False if it is an ordinary leaf. Rule 9."""
        secrets = self.options.secrets
        if secrets == "Require" or (secrets == "Extract" and extracted is None and not self._is_readable(leaf)):
            self._required(leaf, name)
            self.secrets.append(secret_parameter(name.name, leaf.path))
            self.remaining_texts[leaf.path] = ""
            return True
        if secrets == "Preserve":
            self.readable_secrets[leaf.path] = None
            return False
        if extracted is None:  # readable network data
            return False
        if extracted.suspicious is not None:
            self.readable_secrets[leaf.path] = extracted.suspicious
        if not extracted.secrets:
            return False
        leaf.container[leaf.key] = extracted.text
        self.remaining_texts[leaf.path] = extracted.text
        for secret in extracted.secrets:
            self.required_values[secret.name.name] = secret.value
            self.secrets.append(secret_parameter(secret.name.name, leaf.path, secret.place))
            parameter = self._declaration(secret.name, secret.name.display, secret.note)
            if secret.place.generated:
                parameter |= {"generate": "expression", "from": secret.place.generated}
            else:
                parameter["required"] = True
            self.parameters.append(parameter)
        self.literals.grow(len(extracted.text))
        return True

    def _is_readable(self, leaf: Leaf) -> bool:
        return self._extract and leaf.path[-1] == "networkData" and is_readable_network_data(leaf.value, self._budget)

    def _extracted_texts(self, leaves: list[Leaf], names: LeafNames) -> dict[Path, ExtractedText]:
        """Return the texts that `secrets: Extract` handles, by their path. The others are required as a whole."""
        if not self._extract:
            return {}
        configs = [
            (name, leaf.path, config)
            for leaf, name in zip(leaves, names.names, strict=True)
            if leaf.is_inside
            and leaf.path[-1] == "userData"
            and type(leaf.value) is str
            and path_pattern(leaf.path[2:]) in SECRETS
            and (config := parse_cloud_config(leaf.value, self._budget))
        ]
        has_secrets = any(config.secrets for _, _, config in configs)
        named_secrets = name_secrets(configs, names.all() if has_secrets else set())
        texts = {}
        for (_, path, _), (config, secrets) in zip(configs, named_secrets, strict=True):
            if text := extract_text(config, secrets, self.literals):
                texts[path] = text
        return texts


def prune_data_volume(template: Any) -> Any:
    """Return a data volume template with only those parts of its metadata that a new VM gets. Rule 7."""
    metadata = template.get("metadata") if type(template) is dict else None
    if type(metadata) is not dict:
        return template
    pruned = {key: value for key, value in metadata.items() if key in DATA_VOLUME_METADATA}
    annotations = pruned.get("annotations")
    if type(annotations) is dict and not annotations.keys().isdisjoint(DROPPED_DATA_VOLUME_ANNOTATIONS):
        kept = {key: value for key, value in annotations.items() if key not in DROPPED_DATA_VOLUME_ANNOTATIONS}
        if kept:
            pruned["annotations"] = kept
        else:
            del pruned["annotations"]
    return {key: pruned if key == "metadata" else value for key, value in template.items()}


def _names_data_volume(leaf: Leaf) -> bool:
    if leaf.is_inside:
        return names_data_volume(leaf.path[:-1], leaf.path[-1])
    return leaf.path[0] == data_volumes.FIELD and leaf.path[2:] in (("metadata", "name"), (*_SOURCE_CLAIM, "name"))
