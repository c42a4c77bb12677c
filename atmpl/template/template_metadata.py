"""Rule 12: labels and annotations of the template itself. They are not part of the VM, and are not substituted."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import orjson

from atmpl.template.options import RenderOptions, TemplateMetadata, TemplateOwner
from atmpl.template.rules import COPIED_ANNOTATIONS, copies_label
from atmpl.template.source_vm import SourceVM
from atmpl.template.validation import is_text
from atmpl.version import __version__

TEMPLATE_TYPE: Final = "template.kubevirt.io/type"  # without it the OpenShift console does not list the template
TEMPLATE_LABEL: Final = "vm.kubevirt.io/template"  # rule 6: the template that a VM was created from
REQUEST_UID: Final = "ssp.kubevirt.io/request-uid"  # the owner of a template
REFRESH: Final = "ssp.kubevirt.io/refresh"  # the label selector of the template stream

PROVENANCE: Final = "ssp.kubevirt.io/"  # prefix of the annotations about the source and the request of a template
SOURCE_UID: Final = PROVENANCE + "source-uid"
SOURCE_GENERATION: Final = PROVENANCE + "source-generation"
REQUEST: Final = PROVENANCE + "request"
OPTIONS: Final = PROVENANCE + "options"  # JSON of the options that differ from their defaults

ICON_FAMILIES: Final = (  # beginnings of an os, and the icon that the console has for it
    ("fedora", "icon-fedora"),
    ("rhel", "icon-rhel"),
    ("centos", "icon-centos"),
    ("ubuntu", "icon-ubuntu"),
    ("debian", "icon-debian"),
    ("opensuse", "icon-opensuse"),
    ("sles", "icon-sles"),
    ("win", "icon-windows"),
)
ARCHITECTURE: Final = "template.kubevirt.io/architecture"

_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_NOT_IN_LABEL: Final = re.compile(r"[^A-Za-z0-9._-]")
_DNS_PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_LABEL: Final = 63  # characters of a label's value, and of the name in its key
_MAX_PREFIX: Final = 253  # characters of the prefix in a key


def labels(
    source: SourceVM, options: RenderOptions, metadata: TemplateMetadata, owner: TemplateOwner | None
) -> dict[str, str]:
    """Return the template's labels."""
    result = {TEMPLATE_TYPE: "vm"}
    if owner:
        result[REQUEST_UID] = owner.uid
        if owner.refresh_on_change:
            result[REFRESH] = "OnChange"
    result |= {key: value for key, value in source.labels.items() if copies_label(key)}
    if options.console == "Complete":
        result |= {
            f"{kind}.template.kubevirt.io/{value}": "true"
            for kind in ("os", "workload", "flavor")
            if (value := _vm_property(source, kind))
        }
        architecture = source.instance.get("architecture")
        if type(architecture) is str and is_label_value(architecture):
            result[ARCHITECTURE] = architecture
    return {**result, **metadata.labels}


def annotations(
    source: SourceVM, name: str, options: RenderOptions, metadata: TemplateMetadata, owner: TemplateOwner | None
) -> dict[str, str]:
    """Return the annotations of the template `name`."""
    where = f" in namespace {source.namespace}" if source.namespace else ""
    copied: dict[str, Any] = {key: source.annotations.get(key) for key in COPIED_ANNOTATIONS}
    changed = options.non_default()
    provenance = {
        "source": f"{source.namespace}/{source.name}" if source.namespace else None,
        "source-uid": source.uid,
        "source-generation": None if source.generation is None else str(source.generation),
        "request": f"{owner.namespace}/{owner.name}" if owner else None,
        "generator": f"atmpl {__version__}",
        "options": orjson.dumps(changed).decode() if changed else None,
    }
    return {
        "openshift.io/display-name": name,
        "description": f"Made from the virtual machine {source.name}{where}.",
        "tags": "kubevirt,virtualmachine",
        **{key: value for key, value in copied.items() if isinstance(value, str)},
        **(_console_annotations(source) if options.console == "Complete" else {}),
        **metadata.annotations,
        **{f"{PROVENANCE}{key}": value for key, value in provenance.items() if value is not None},
    }


def _console_annotations(source: SourceVM) -> dict[str, str]:
    """Return the annotations by which the OpenShift console shows an operating system."""
    os = _vm_property(source, "os")
    if not os:
        return {}
    icons = [icon for family, icon in ICON_FAMILIES if os.startswith(family)]
    return {f"name.os.template.kubevirt.io/{os}": os} | ({"iconClass": icons[0]} if icons else {})


def _vm_property(source: SourceVM, kind: str) -> str | None:
    """Return the VM's os, workload or flavor, if its value is valid in a label."""
    key = f"vm.kubevirt.io/{kind}"
    value = source.template_annotations.get(key) or source.annotations.get(key)
    return value if value and is_label_value(value) else None


def metadata_error(metadata: TemplateMetadata) -> str | None:
    """Return what is wrong with `templateMetadata`; None if it is valid."""
    fields: tuple[tuple[str, Any], ...] = (("label", metadata.labels), ("annotation", metadata.annotations))
    for word, field in fields:
        if not isinstance(field, Mapping):
            return f"the template's {word}s are not an object; use a map of strings"
        for key, value in field.items():
            if error := _entry_error(word, key, value):
                return error
    return None


def _entry_error(word: str, key: Any, value: Any) -> str | None:
    if not isinstance(key, str) or not isinstance(value, str):
        return f"a key or a value of the template's {word}s is not a string; use strings"
    prefix, slash, name = key.rpartition("/")
    is_name = len(name) <= _MAX_LABEL and _LABEL_VALUE.fullmatch(name)
    is_prefix = not slash or (len(prefix) <= _MAX_PREFIX and _DNS_PREFIX.fullmatch(prefix))
    if not is_name or not is_prefix:
        return f"{key!a:.80} is not a valid key of {'an' if word == 'annotation' else 'a'} {word}; use another one"
    if key.startswith(PROVENANCE) or key == TEMPLATE_TYPE:
        return f"the {word} {key} is reserved; use another key"
    if not is_text(value):
        return f"the value of the {word} {key} contains half of a surrogate pair; remove that character"
    if word == "label" and value and not is_label_value(value):
        return f"the value of the label {key} is not valid; use at most 63 letters, digits, -, _ and ."
    return None


def is_label_value(text: str) -> bool:
    """Return True if `text` is a valid value of a label, and not empty."""
    return len(text) <= _MAX_LABEL and _LABEL_VALUE.fullmatch(text) is not None


def label_value(name: str) -> str:
    """Return a template's name as a label value: itself, or shortened, with 8 hex digits of its SHA-256."""
    if len(name) <= _MAX_LABEL and _LABEL_VALUE.fullmatch(name):
        return name
    digits = sha256(name.encode()).hexdigest()[:8]
    start = _NOT_IN_LABEL.sub("-", name[: _MAX_LABEL - 1 - len(digits)]).strip("._-")
    return f"{start}-{digits}" if start else digits
