"""Where the leaves of a VM are, as paths. Rule 1, and the references of rule 7, which are no leaves."""

from math import isfinite
from typing import Any, Final, TypeAlias

from atmpl.template.errors import RenderError
from atmpl.template.json_path import SPEC, Path, dotted
from atmpl.template.literal_parameters import Literals
from atmpl.template.validation import LONGEST, MAX_DEPTH, refusal

Leaf: TypeAlias = tuple[Path, Any, Any, str | int]
"""(path below `spec.template.spec`, the VM's value, the container in the copy, the key there)."""

NAME: Final = "name"  # a leaf with exactly this key is no parameter: names tie disks to their volumes
SUFFIXED: Final = "-${SUFFIX}"

_SURE: Final = frozenset((str, bool, int))  # scalars that are JSON whatever their value; floats may be none
_DEEPEST: Final = MAX_DEPTH - len(SPEC)


def part(spec: dict[str, Any], literals: Literals, unique: frozenset[str]) -> tuple[dict[str, Any], list[Leaf]]:
    """Return a copy of a VirtualMachineInstanceSpec, and its leaves in key order: each is None in the copy, a hole.

    What stays literal is carried by `literals` where it must be; references to the data volumes named in `unique` get
    their suffix. Raises RenderError for what is no JSON.
    """
    walk = _Walk(literals, unique)
    return walk.mapping(spec, (), 0), walk.leaves


class _Walk:
    """One walk over a spec. No closures that call each other: they would be a cycle, and hold the template by it."""

    __slots__ = ("leaves", "literals", "room", "unique")

    def __init__(self, literals: Literals, unique: frozenset[str]) -> None:
        self.literals = literals
        self.unique = unique
        self.leaves: list[Leaf] = []
        self.room = LONGEST  # characters left for paths

    def mapping(self, source: dict[str, Any], path: Path, size: int) -> dict[str, Any]:
        self.room -= len(source) * size
        if self.room < 0 or len(path) >= _DEEPEST:
            raise _too_much(source, path)
        literals, unique, leaves = self.literals, self.unique, self.leaves
        copy: dict[str, Any] = {}
        for key, value in source.items():
            kind = type(value)
            hole = literals.key(key, source) if "${" in key else key
            if kind is dict:
                copy[hole] = self.mapping(value, (*path, key), size + len(key) + 1)
            elif kind is list:
                copy[hole] = self.sequence(value, (*path, key), size + len(key) + 1)
            elif unique and kind is str and value in unique and is_reference(path, key):
                copy[hole] = value + SUFFIXED
            elif key == NAME and kind is str:
                copy[hole] = literals.value(value) if "${" in value else value
            elif key != NAME and (kind in _SURE or (kind is float and isfinite(value))):
                copy[hole] = None
                leaves.append(((*path, key), value, copy, hole))
            else:
                copy[hole] = literals.copy(value, (*SPEC, *path, key))
        return copy

    def sequence(self, source: list[Any], path: Path, size: int) -> list[Any]:
        self.room -= len(source) * size
        if self.room < 0 or len(path) >= _DEEPEST:
            raise _too_much(source, path)
        leaves = self.leaves
        copy: list[Any] = []
        for index, value in enumerate(source):
            kind = type(value)
            if kind is dict:
                copy.append(self.mapping(value, (*path, index), size + 1))
            elif kind is list:
                copy.append(self.sequence(value, (*path, index), size + 1))
            elif kind in _SURE or (kind is float and isfinite(value)):
                copy.append(None)
                leaves.append(((*path, index), value, copy, index))
            else:
                copy.append(self.literals.copy(value, (*SPEC, *path, index)))
        return copy


def _too_much(source: dict[str, Any] | list[Any], path: Path) -> RenderError:
    if len(path) >= _DEEPEST:
        return refusal(SPEC + path, source)
    why = f"the paths of its leaves are longer than {LONGEST:,} characters together; shorten its keys"
    return RenderError(dotted(SPEC + path[:1]), why)


def is_reference(path: Path, key: str) -> bool:
    """Return whether the leaf `key` of the object at `path` names a data volume. Rule 7."""
    return key == "claimName" or (key == NAME and path[-1:] == ("dataVolume",))
