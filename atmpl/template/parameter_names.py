"""The name of a parameter. Rule 2: names come from paths, never from values, and are unique for any JSON."""

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from atmpl.template.json_path import SPEC, Path, pointer

# The tables of rule 2. Their keys are keys of a VirtualMachineInstanceSpec, in DROPPED_STORAGE of a DataVolume.

DROPPED_PREFIXES: Final = (("domain", "devices"), ("domain", "resources"), ("domain",))  # the first that matches

UNION_LISTS: Final = (("volumes",), ("networks",), ("domain", "devices", "disks"))  # an item's type is one of its keys

# Below an item of dataVolumeTemplates: what is dropped after `spec`, the first that matches.
DROPPED_STORAGE: Final = (
    ("storage", "resources", "requests"),
    ("pvc", "resources", "requests"),
    ("storage",),
    ("pvc",),
)

SHORTER: Final = {
    "preferredDuringSchedulingIgnoredDuringExecution": "preferred",
    "requiredDuringSchedulingIgnoredDuringExecution": "required",
}

PLURALS: Final = (  # (ending, replacement), the first that matches
    ("ies", "y"),
    ("sses", "ss"),
    ("xes", "x"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("ss", "ss"),
    ("s", ""),
)

RESERVED: Final = re.compile(r"NAME|LABELS|SUFFIX|IGNITION_DATA|LITERAL[0-9]+")

INITIALISMS: Final = re.compile(  # in capitals in a form's labels
    "acpi|api|apic|bios|cidr|cpu|dhcp|dns|efi|gpu|hpet|http|id|io|ip|kvm|mac|ntp|numa|pci|pit|ram|rng|rtc|sev|sku|smbios"
    "|smm|ssh|tcp|tftp|tpm|tsc|url|usb|utc|uuid|vm"
)

_SPLIT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]")
_REPEATED: Final = re.compile(r"(?<!\S)([A-Za-z]\S*) \1(?!\S)")  # spinlocks.spinlocks is shown once


_Word: TypeAlias = tuple[str, tuple[int, ...]]  # a key, or its snake case, and the list indexes that follow it
_Container: TypeAlias = tuple[Path, bool]  # the path of a leaf without its last key, and whether that key is an index
_Stem: TypeAlias = tuple[str, str]  # the beginning of the names of a container's leaves, and its display form
_CACHE_ENTRIES: Final = 1 << 14  # names cached for all VMs, because most have the same paths
_CACHE_MAX_PATH: Final = 256  # characters of the keys of a cached path
# Paths of at most this length are not cached by container: their last key decides which prefix is dropped.
_SHORT_PATH: Final = 2


class Name(NamedTuple):
    """The name of a parameter, and the other texts that its path determines."""

    name: str  # DISK0_BUS
    display: str  # Disk 0 bus
    description: str  # disk0-bus
    string_reference: str  # ${DISK0_BUS}
    typed_reference: str  # ${{DISK0_BUS}}
    usable: bool  # not reserved, not empty


_USABLE: Final = attrgetter("usable")
_CACHE: Final[dict[Path, Name]] = {}  # at most _CACHE_ENTRIES


def assign_names(paths: Sequence[Path], unselected: Sequence[Path] = ()) -> list[Name]:
    """Return the names of the leaves of one instance at `paths`, in order. Paths are below `spec.template.spec`.

    `unselected` are its other leaves: names are unique among all of them.
    """
    stems: dict[_Container, _Stem] = {}
    cached = _CACHE.get
    names = [cached(path) or base_name(path, stems) for path in paths]
    texts = [name[0] for name in names]
    if unselected and names:
        texts += [_name_and_display(path, stems)[0] for path in unselected]
    if len(set(texts)) < len(texts) or not all(map(_USABLE, names)):
        everything = [*paths, *unselected]
        changed = _disambiguate(texts, lambda index: pointer(SPEC + everything[index]), ())
        for index, text in changed.items():
            if index < len(names):
                names[index] = named(text, names[index].display)
    return names


def lengthen_duplicates(names: Sequence[Name], paths: Sequence[Path], taken: Collection[str]) -> list[Name]:
    """Return `names`; those that are not unique or that are in `taken` are lengthened.

    `paths` are those of the leaves, below `spec`, which the longer names are made from.
    """
    result = list(names)
    texts = [name.name for name in names]
    for index, text in _disambiguate(texts, lambda index: pointer(("spec", *paths[index])), taken).items():
        result[index] = named(text, result[index].display)
    return result


def _disambiguate(names: list[str], pointer_of: Callable[[int], str], taken: Collection[str]) -> dict[int, str]:
    """Return longer names, by index, for those that are shared, taken, reserved or empty.

    A longer name can be equal to another leaf's name, so this repeats with further digits until all are different.
    """
    holders: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        holders.setdefault(name, []).append(index)
    ambiguous = [name for name, indexes in holders.items() if len(indexes) > 1 or name in taken or not _is_usable(name)]
    changed: dict[int, str] = {}
    attempt = 0
    while ambiguous:
        longer: dict[str, None] = {}
        for index in [index for name in ambiguous for index in holders.pop(name)]:
            old = changed.get(index, names[index])
            changed[index] = new = f"{old}_{_digits(pointer_of(index), attempt)}"
            holders.setdefault(new, []).append(index)
            longer[new] = None
        ambiguous = [name for name in longer if len(holders[name]) > 1 or name in taken]
        attempt += 1
    return changed


def _is_usable(name: str) -> bool:
    return bool(name) and not RESERVED.fullmatch(name)


def base_name(path: Path, stems: dict[_Container, _Stem] | None = None) -> Name:
    """Return the name of the leaf at `path` below `spec.template.spec`, if no other leaf has it.

    `stems` are those computed for other leaves of the same VM.
    """
    name = _CACHE.get(path)
    if name is None:
        name = _base_name(path, {} if stems is None else stems)
        if sum(len(key) for key in path if isinstance(key, str)) <= _CACHE_MAX_PATH:
            if len(_CACHE) >= _CACHE_ENTRIES:
                _CACHE.clear()
            _CACHE[path] = name
    return name


def outside_name(path: Path) -> Name:
    """Return the name of the leaf at `path`, below the VM's `spec` and outside of `spec.template.spec`."""
    keys = _keys(path)
    if len(keys) > 1 and keys[0][0] == "dataVolumeTemplates" and keys[0][1]:
        rest = keys[1:]
        if len(rest) > 1 and rest[0] == ("spec", ()):
            rest = rest[1:]
            plain = [key if not indexes else None for key, indexes in rest]
            for prefix in DROPPED_STORAGE:
                if len(rest) > len(prefix) and plain[: len(prefix)] == list(prefix):
                    rest = rest[len(prefix) :]
                    break
        keys = [("dataVolumes", keys[0][1]), *rest]
    words = [(_snake(_singular(key) if indexes else key), indexes) for key, indexes in keys]
    return named(_joined(words), _display_name(words))


def name_in_text(leaf: Name, path: Path, display: str) -> Name:
    """Return the name of a value at `path` in the text of a leaf. Nothing of the path is dropped."""
    words = [(_snake(_singular(key) if indexes else key), indexes) for key, indexes in _keys(path)]
    return named(f"{leaf.name}_{_joined(words)}", display or _display_name(words))


def _base_name(path: Path, stems: dict[_Container, _Stem]) -> Name:
    return named(*_name_and_display(path, stems))


def _name_and_display(path: Path, stems: dict[_Container, _Stem]) -> _Stem:
    """Return the name of the leaf at `path`, and its display form."""
    last = path[-1]
    if len(path) <= _SHORT_PATH:
        words = _words(path)
        return _joined(words), _display_name(words)
    is_index = type(last) is int
    container = (path[:-1], is_index)
    stem = stems.get(container)
    if stem is None:
        words = _words((*path[:-1], 0 if is_index else "x"))  # any last key; it is one character
        stems[container] = stem = (_joined(words)[:-1], _display_name(words)[:-1])
    if isinstance(last, int):
        return f"{stem[0]}{last}", f"{stem[1]}{last}"
    word = _snake(SHORTER.get(last, last))
    return stem[0] + word, stem[1] + _display_name([(word, ())])


def named(name: str, display: str) -> Name:
    """Return the Name of `name`; `display` begins with a capital."""
    display = _REPEATED.sub(r"\1", display)
    display = (display[:1].upper() + display[1:]).strip() or name
    return Name(name, display, name.lower().replace("_", "-"), f"${{{name}}}", f"${{{{{name}}}}}", _is_usable(name))


def _digits(json_pointer: str, attempt: int) -> str:
    """Return 8 hex digits of the SHA-256 of the leaf's JSON pointer: the first 8, at a later attempt further ones."""
    digest = sha256(json_pointer.encode())
    for _ in range(attempt // 8):
        digest = sha256(digest.digest())
    return digest.hexdigest()[attempt % 8 * 8 :][:8].upper()


def _words(path: Path) -> list[_Word]:
    """Return the words of the name, in upper snake case, each with the list indexes that follow it."""
    keys = _keys(path)
    return [(_snake(_singular(key) if indexes else key), indexes) for key, indexes in _without_prefixes(keys)]


def _keys(path: Path) -> list[_Word]:
    """Return the keys of the path, each with the list indexes that follow it."""
    keys: list[_Word] = []
    for key in path:
        if isinstance(key, str):
            keys.append((SHORTER.get(key, key), ()))
        else:
            last, indexes = keys[-1]
            keys[-1] = (last, (*indexes, key))
    return keys


def _without_prefixes(keys: list[_Word]) -> list[_Word]:
    """Return `keys` without the prefixes and the union keys that a name leaves out."""
    plain = [key if not indexes else None for key, indexes in keys]
    for list_path in UNION_LISTS:
        size = len(list_path)
        if (
            len(keys) > size + 1
            and plain[: size - 1] == list(list_path[:-1])
            and keys[size - 1][0] == list_path[-1]
            and len(keys[size - 1][1]) == 1
            and plain[size] is not None
        ):
            keys = keys[:size] + keys[size + 1 :]
            break
    for prefix in DROPPED_PREFIXES:
        if plain[: len(prefix)] == list(prefix):
            return keys[len(prefix) :]
    return keys


@lru_cache(maxsize=4096)
def _singular(key: str) -> str:
    for ending, singular in PLURALS:
        if key.endswith(ending):
            return key[: len(key) - len(ending)] + singular
    return key


@lru_cache(maxsize=4096)
def _snake(key: str) -> str:
    return _OTHER.sub("_", _SPLIT.sub("_", key)).upper()


def _joined(words: list[_Word]) -> str:
    return "_".join(word + "_".join(map(str, indexes)) for word, indexes in words)


def _display_name(words: list[_Word]) -> str:
    """Return the name as a form shows it: `disk 0 bus`, `CPU cores`."""
    shown: list[str] = []
    for word, indexes in words:
        shown += _shown(word)
        shown += map(str, indexes)
    return " ".join(shown)


@lru_cache(maxsize=4096)
def _shown(word: str) -> list[str]:
    parts = [part for part in word.lower().split("_") if part]
    return [part.upper() if INITIALISMS.fullmatch(part) else part for part in parts]
