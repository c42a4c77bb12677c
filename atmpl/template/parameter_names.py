"""A path's parameter name. Rule 2: names depend on the path alone, and are unique for any JSON."""

import re
from collections.abc import Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from atmpl.template.json_path import SPEC, Path, pointer

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
    "acpi|api|apic|bios|cidr|cpu|dhcp|dns|efi|gpu|hpet|http|id|io|ip|kvm|mac|ntp|numa|pci|pit|ram|rng|rtc|sev|sku|smbios"
    "|smm|ssh|tcp|tftp|tpm|tsc|usb|utc|uuid|vm"
)

_SPLIT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]")
_AGAIN: Final = re.compile(r"(?<!\S)([A-Za-z]\S*) \1(?!\S)")  # spinlocks.spinlocks is said once


_Word: TypeAlias = tuple[str, tuple[int, ...]]  # a key, or what became of it, and the list indexes that follow it
_Container: TypeAlias = tuple[Path, bool]  # where leaves stand, and whether by index
_Stem: TypeAlias = tuple[str, str]  # what the names of a container's leaves begin with, and how a form says it
_KEPT: Final = 1 << 14  # names kept for all VMs, since most have the same paths
_KEPT_SIZE: Final = 256  # and how long a kept path's keys are at most, together
_SHORT: Final = 2  # keys and indexes: beyond, the last one decides nothing about those before it


class Name(NamedTuple):
    """A parameter's name, and what else of it the path decides."""

    name: str  # DISK0_BUS
    display: str  # Disk 0 bus
    description: str  # disk0-bus
    plain: str  # ${DISK0_BUS}
    whole: str  # ${{DISK0_BUS}}
    usable: bool  # not reserved, not empty


_USABLE: Final = attrgetter("usable")
_KNOWN: Final[dict[Path, Name]] = {}  # names already made; never more than _KEPT


def assign(paths: Sequence[Path]) -> list[Name]:
    """Return the names of all leaves of one VM, in order; the paths are those below `spec.template.spec`."""
    stems: dict[_Container, _Stem] = {}
    known = _KNOWN.get
    names = [known(path) or natural(path, stems) for path in paths]
    if len({name[0] for name in names}) < len(names) or not all(map(_USABLE, names)):
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


def natural(path: Path, stems: dict[_Container, _Stem] | None = None) -> Name:
    """Return the name of the leaf at `path`, were it alone. `stems` are those known of this VM."""
    name = _KNOWN.get(path)
    if name is None:
        name = _natural(path, {} if stems is None else stems)
        if sum(len(key) for key in path if isinstance(key, str)) <= _KEPT_SIZE:
            if len(_KNOWN) >= _KEPT:
                _KNOWN.clear()
            _KNOWN[path] = name
    return name


def _natural(path: Path, stems: dict[_Container, _Stem]) -> Name:
    last = path[-1]
    if len(path) <= _SHORT:
        words = _words(path)
        return _named(_joined(words), _said(words))
    container = (path[:-1], isinstance(last, int))
    stem = stems.get(container)
    if stem is None:
        words = _words((*path[:-1], 0 if isinstance(last, int) else "x"))  # any: it is the last character, and goes
        stems[container] = stem = (_joined(words)[:-1], _said(words)[:-1])
    if isinstance(last, int):
        return _named(f"{stem[0]}{last}", f"{stem[1]}{last}")
    word = _snake(SHORTER.get(last, last))
    return _named(stem[0] + word, stem[1] + _said([(word, ())]))


def _named(name: str, said: str) -> Name:
    usable = bool(name) and not RESERVED.fullmatch(name)
    said = _AGAIN.sub(r"\1", said)
    display = (said[:1].upper() + said[1:]).strip() or name
    return Name(name, display, name.lower().replace("_", "-"), f"${{{name}}}", f"${{{{{name}}}}}", usable)


def _digits(path: Path, turn: int) -> str:
    """Return eight hex digits of the leaf's JSON pointer's SHA-256: the first eight, at a later turn further ones."""
    digest = sha256(pointer(SPEC + path).encode())
    for _ in range(turn // 8):
        digest = sha256(digest.digest())
    return digest.hexdigest()[turn % 8 * 8 :][:8].upper()


def _words(path: Path) -> list[_Word]:
    """Return the words of the name, in upper snake case, each with the list indexes that follow it."""
    keys = _keys(path)
    return [(_snake(_singular(key) if indexes else key), indexes) for key, indexes in _dropped(keys)]


def _keys(path: Path) -> list[_Word]:
    """Return the path's keys, each with the list indexes that follow it."""
    keys: list[_Word] = []
    for key in path:
        if isinstance(key, str):
            keys.append((SHORTER.get(key, key), ()))
        else:
            last, indexes = keys[-1]
            keys[-1] = (last, (*indexes, key))
    return keys


def _dropped(keys: list[_Word]) -> list[_Word]:
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


def _joined(words: list[_Word]) -> str:
    return "_".join(word + "_".join(map(str, indexes)) for word, indexes in words)


def _said(words: list[_Word]) -> str:
    """Return the name as a form says it: `disk 0 bus`, `CPU cores`."""
    said: list[str] = []
    for word, indexes in words:
        parts = [part for part in word.lower().split("_") if part]
        said += [part.upper() if INITIALISMS.fullmatch(part) else part for part in parts]
        said += map(str, indexes)
    return " ".join(said)
