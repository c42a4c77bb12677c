"""Rule 12: what stands on the template itself. It is no part of what a template makes; nothing substitutes in it."""

import re
from hashlib import sha256
from typing import Any, Final

from atmpl.template.options import TemplateOwner
from atmpl.template.rules import COPIED_ANNOTATIONS, copies_label
from atmpl.template.source_vm import Source
from atmpl.version import __version__

TEMPLATE_LABEL: Final = "vm.kubevirt.io/template"  # rule 6: which template a VM was made from
REQUEST_UID: Final = "ssp.kubevirt.io/request-uid"  # whose a template is (design section 3)
REFRESH: Final = "ssp.kubevirt.io/refresh"  # what the template stream selects by

PROVENANCE: Final = "ssp.kubevirt.io/"  # prefix of the annotations that say what a template was made of, and for whom
SOURCE_UID: Final = PROVENANCE + "source-uid"
SOURCE_GENERATION: Final = PROVENANCE + "source-generation"
REQUEST: Final = PROVENANCE + "request"

_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_NO_LABEL: Final = re.compile(r"[^A-Za-z0-9._-]")


def labels(source: Source, owner: TemplateOwner | None) -> dict[str, str]:
    """Return the template's labels."""
    result = {"template.kubevirt.io/type": "vm"}  # without it the OpenShift console does not list the template
    if owner:
        result[REQUEST_UID] = owner.uid
        if owner.refresh_on_change:
            result[REFRESH] = "OnChange"
    result |= {key: value for key, value in source.own_labels.items() if copies_label(key)}
    return result


def annotations(source: Source, name: str, owner: TemplateOwner | None) -> dict[str, str]:
    """Return the annotations of the template `name`."""
    where = f" in namespace {source.namespace}" if source.namespace else ""
    copied: dict[str, Any] = {key: source.own_annotations.get(key) for key in COPIED_ANNOTATIONS}
    provenance = {
        "source": f"{source.namespace}/{source.name}" if source.namespace else None,
        "source-uid": source.uid,
        "source-generation": None if source.generation is None else str(source.generation),
        "request": f"{owner.namespace}/{owner.name}" if owner else None,
        "generator": f"atmpl {__version__}",
    }
    return {
        "openshift.io/display-name": name,
        "description": f"Made from the virtual machine {source.name}{where}.",
        "tags": "kubevirt,virtualmachine",
        **{key: value for key, value in copied.items() if isinstance(value, str)},
        **{f"{PROVENANCE}{key}": value for key, value in provenance.items() if value is not None},
    }


def label_value(name: str) -> str:
    """Return the template's name as a label's value: itself, or shortened, with 8 hex digits of its SHA-256."""
    if len(name) <= 63 and _LABEL_VALUE.fullmatch(name):
        return name
    digits = sha256(name.encode()).hexdigest()[:8]
    start = _NO_LABEL.sub("-", name[: 63 - 1 - len(digits)]).strip("._-")
    return f"{start}-{digits}" if start else digits
