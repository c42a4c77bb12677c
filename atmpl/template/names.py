"""A path's parameter name. Rule 2: names depend on the path alone, and are unique for any JSON."""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from atmpl.template.paths import SPEC, Path, pointer

# The design's tables. Their keys are keys of a VirtualMachineInstanceSpec.

DROPPED_HEADS: Final = (("domain", "devices"), ("domain", "resources"), ("domain",))  # the first that fits

UNION_LISTS: Final = (("volumes",), ("networks",), ("domain", "devices", "disks"))  # an item's kind is one of its keys

SHORTER: Final = {
    "preferredDuringSchedulingIgnoredDuringExecution": "preferred",
    "requiredDuringSchedulingIgnoredDuringExecution": "required",
}

PLURALS: Final = (  # (ending, what it becomes), the first that fits
    ("ies", "y"),
    ("sses", "ss"),
    ("xes", "x"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("ss", "ss"),
    ("s", ""),
)

RESERVED: Final = re.compile(r"NAME|LABELS|SUFFIX|LITERAL[0-9]+")

INITIALISMS: Final = re.compile(  # written in capitals in a form's labels
    "acpi|apic|cpu|dns|efi|gpu|hpet|http|id|io|ip|kvm|mac|pci|pit|rng|rtc|sev|smbios|ssh|tcp|tpm|tsc|usb|uuid"
)

_SPLIT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]")


class Name(NamedTuple):
    """A parameter's name, and what else of it the path decides."""

    name: str  # DISK0_BUS
    display: str  # Disk 0 bus
    description: str  # disk0-bus
    plain: str  # ${DISK0_BUS}
    whole: str  # ${{DISK0_BUS}}
    usable: bool  # not reserved, not empty


def assign(paths: Sequence[Path]) -> list[Name]:
    """Return the names of all leaves of one VM, in order; the paths are those below `spec.template.spec`."""
    names = [natural(path) for path in paths]
    distinct = {name.name for name in names}
    if len(distinct) < len(names) or not all(name.usable for name in names):
        _lengthen(names, paths)
    return names


def _lengthen(names: list[Name], paths: Sequence[Path]) -> None:
    """Give digits to the leaves that share a name, or have none of their own.

    A longer name might be another leaf's by chance or by malice: so until all differ, with further digits.
    """
    holders: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        holders.setdefault(name.name, []).append(index)
    taken = [name for name, indexes in holders.items() if len(indexes) > 1 or not names[indexes[0]].usable]
    turn = 0
    while taken:
        given: dict[str, None] = {}
        for index in [index for name in taken for index in holders.pop(name)]:
            old = names[index]
            names[index] = new = _named(f"{old.name}_{_digits(paths[index], turn)}", old.display)
            holders.setdefault(new.name, []).append(index)
            given[new.name] = None
        taken = [name for name in given if len(holders[name]) > 1]
        turn += 1


def natural(path: Path) -> Name:
    """Return the name of the leaf at `path`, were it alone."""
    name = _KNOWN.get(path)
    if name is None:
        name = _natural(path)
        if sum(len(key) for key in path if isinstance(key, str)) <= _KEPT_SIZE:
            if len(_KNOWN) >= _KEPT:
                _KNOWN.clear()
            _KNOWN[path] = name
    return name


# Names already made, for all VMs, since most have the same paths. Bounded in number and in size.
_KNOWN: Final[dict[Path, Name]] = {}
_KEPT: Final = 1 << 14
_KEPT_SIZE: Final = 256


def _natural(path: Path) -> Name:
    words = _words(path)
    name = "_".join(word + "_".join(map(str, indexes)) for word, indexes in words)
    return _named(name, _display(words) or name)


def _named(name: str, display: str) -> Name:
    usable = bool(name) and not RESERVED.fullmatch(name)
    return Name(name, display, name.lower().replace("_", "-"), f"${{{name}}}", f"${{{{{name}}}}}", usable)


def _digits(path: Path, turn: int) -> str:
    """Return eight hex digits of the leaf's JSON pointer's SHA-256: the first eight, at a later turn further ones."""
    digest = sha256(pointer(SPEC + path).encode())
    for _ in range(turn // 8):
        digest = sha256(digest.digest())
    return digest.hexdigest()[turn % 8 * 8 :][:8].upper()


def _words(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Return the words of the name, in upper snake case, each with the list indexes that follow it."""
    keys = _keys(path)
    return [(_snake(_singular(key) if indexes else key), indexes) for key, indexes in _dropped(keys)]


def _keys(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Return the path's keys, each with the list indexes that follow it."""
    keys: list[tuple[str, tuple[int, ...]]] = []
    for key in path:
        if isinstance(key, str):
            keys.append((SHORTER.get(key, key), ()))
        else:
            last, indexes = keys[-1]
            keys[-1] = (last, (*indexes, key))
    return keys


def _dropped(keys: list[tuple[str, tuple[int, ...]]]) -> list[tuple[str, tuple[int, ...]]]:
    """Return `keys` without the heads and the union keys that say nothing in a name."""
    plain = [key if not indexes else None for key, indexes in keys]
    for head in UNION_LISTS:
        size = len(head)
        if (
            len(keys) > size + 1
            and plain[: size - 1] == list(head[:-1])
            and keys[size - 1][0] == head[-1]
            and len(keys[size - 1][1]) == 1
            and plain[size] is not None
        ):
            keys = keys[:size] + keys[size + 1 :]
            break
    for dropped in DROPPED_HEADS:
        if plain[: len(dropped)] == list(dropped):
            return keys[len(dropped) :]
    return keys


def _singular(key: str) -> str:
    for ending, singular in PLURALS:
        if key.endswith(ending):
            return key[: len(key) - len(ending)] + singular
    return key


def _snake(key: str) -> str:
    return _OTHER.sub("_", _SPLIT.sub("_", key)).upper()


def _display(words: list[tuple[str, tuple[int, ...]]]) -> str:
    """Return the name as a form's label: `Disk 0 bus`, `CPU cores`."""
    said: list[str] = []
    for word, indexes in words:
        parts = [part for part in word.lower().split("_") if part]
        said += [part.upper() if INITIALISMS.fullmatch(part) else part for part in parts]
        said += map(str, indexes)
    text = " ".join(said)
    return text[:1].upper() + text[1:]
