"""Paths: tuples of map keys and list indexes, and their text forms."""

import re
from typing import Final, TypeAlias

from atmpl.template.printable import printable

Path: TypeAlias = tuple[str | int, ...]

SPEC: Final[Path] = ("spec", "template", "spec")  # the VirtualMachineInstanceSpec, from the VM's root
INSTANCE: Final[Path] = ("template", "spec")  # the same, from the VM's `spec`

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Path) -> str:
    """Return `path` as the API server writes paths: `spec.template.spec.volumes[0].name`, `metadata.labels[a/b]`."""
    parts: list[str] = []
    for key in path:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        elif (key.isascii() and key.isidentifier()) or _PLAIN.fullmatch(key):  # the first test is the fast one
            parts.append(f".{key}" if parts else key)
        else:
            parts.append(f"[{printable(key)}]")
    return "".join(parts)


def pointer(path: Path) -> str:
    """Return `path` as a JSON pointer (RFC 6901): `/spec/template/spec/volumes/0/name`."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
