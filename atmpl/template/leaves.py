"""Where the leaves of a VM are, as paths. Rule 1, and the references of rule 7, which are no leaves."""

from math import isfinite
from typing import Any, Final, TypeAlias

from atmpl.template.limits import DEEPEST, refusal
from atmpl.template.literals import Literals
from atmpl.template.paths import SPEC, Path

Leaf: TypeAlias = tuple[Path, Any, Any, str | int]
"""(path below `spec.template.spec`, the VM's value, the container in the copy, the key there)."""

NAME: Final = "name"  # a leaf with exactly this key is no parameter: names tie disks to their volumes
SUFFIXED: Final = "-${SUFFIX}"

_SCALARS: Final = frozenset((str, bool, int, float))


def part(spec: dict[str, Any], literals: Literals, unique: frozenset[str]) -> tuple[dict[str, Any], list[Leaf]]:
    """Return a copy of a VirtualMachineInstanceSpec, and its leaves in key order: each is None in the copy, a hole.

    What stays literal is carried by `literals` where it must be; references to the data volumes named in `unique` get
    their suffix. Raises RenderError for what is no JSON.
    """
    leaves: list[Leaf] = []
    return _Parting(literals, unique, leaves).mapping(spec, ()), leaves


class _Parting:
    __slots__ = ("leaves", "literals", "unique")

    def __init__(self, literals: Literals, unique: frozenset[str], leaves: list[Leaf]) -> None:
        self.literals = literals
        self.unique = unique
        self.leaves = leaves

    def mapping(self, source: dict[str, Any], path: Path) -> dict[str, Any]:
        if len(path) >= DEEPEST - len(SPEC):
            raise refusal(SPEC + path, source)
        copy: dict[str, Any] = {}
        for key, value in source.items():
            kind = type(value)
            hole = self.literals.key(key, source) if "${" in key else key
            if kind is dict:
                copy[hole] = self.mapping(value, (*path, key))
            elif kind is list:
                copy[hole] = self.sequence(value, (*path, key))
            elif kind is str and self.unique and value in self.unique and is_reference(path, key):
                copy[hole] = value + SUFFIXED
            elif key == NAME:
                copy[hole] = self.literals.copy(value, (*SPEC, *path, key))
            elif value is None:
                copy[hole] = None
            elif kind in _SCALARS and (kind is not float or isfinite(value)):
                copy[hole] = None
                self.leaves.append(((*path, key), value, copy, hole))
            else:
                raise refusal((*SPEC, *path, key), value)
        return copy

    def sequence(self, source: list[Any], path: Path) -> list[Any]:
        if len(path) >= DEEPEST - len(SPEC):
            raise refusal(SPEC + path, source)
        copy: list[Any] = []
        for index, value in enumerate(source):
            kind = type(value)
            if kind is dict:
                copy.append(self.mapping(value, (*path, index)))
            elif kind is list:
                copy.append(self.sequence(value, (*path, index)))
            elif value is None:
                copy.append(None)
            elif kind in _SCALARS and (kind is not float or isfinite(value)):
                copy.append(None)
                self.leaves.append(((*path, index), value, copy, index))
            else:
                raise refusal((*SPEC, *path, index), value)
        return copy


def is_reference(path: Path, key: str) -> bool:
    """Return whether the leaf `key` of the object at `path` names a data volume. Rule 7."""
    return key == "claimName" or (key == NAME and path[-1:] == ("dataVolume",))
