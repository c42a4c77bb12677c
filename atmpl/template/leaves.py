"""The walk over a VM's spec that copies it and finds its leaves. Rules 1, 7 (references) and 10 (memory dumps)."""

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, TypeAlias

import msgspec

from atmpl.template.data_volumes import SUFFIX_REFERENCE, names_data_volume
from atmpl.template.errors import MAX_STORED_BYTES, RenderError, TemplateTooLargeError
from atmpl.template.json_path import INSTANCE, SPEC, Path, dotted
from atmpl.template.literal_parameters import Literals
from atmpl.template.path_patterns import States
from atmpl.template.rules import SPECIAL_KEYS
from atmpl.template.selection import NAME, Selection
from atmpl.template.source_vm import objects_in, value_at
from atmpl.template.validation import MAX_DEPTH, MAX_PATH_CHARACTERS, validation_error

ITEM_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # safe in a form, and never a reference

_SCALARS: Final = frozenset((str, bool, int))  # always JSON; a float can be infinite
_MAX_DEPTH: Final = MAX_DEPTH - len(SPEC)
_MAX_LEAVES: Final = MAX_STORED_BYTES // 65  # bytes of the shortest parameter and its reference


Item: TypeAlias = tuple[int, str]
"""An item of a list: its index, and the name by which a form shows it; empty if it has none."""


class Leaf(msgspec.Struct, frozen=True, gc=False):  # created in a quarter of a NamedTuple's time
    """A scalar that is a parameter or that a rule treats."""

    path: Path  # below the VM's `spec`
    value: Any
    container: Any  # in the copy
    key: str | int  # in the container
    selected: bool  # as a parameter; rule 9 can override it
    item: Item | None = None  # of the outermost list that it is in, if that is in the instance

    @property
    def is_inside(self) -> bool:
        """Return True if the leaf is inside of `spec.template.spec`."""
        return self.path[:2] == INSTANCE


@dataclass(slots=True)
class LeafWalker:
    """One walk over the spec of a VM. The copy has the placeholder None at each leaf.

    No closures that call each other: they would be a reference cycle, which keeps the template in memory.
    """

    literals: Literals
    selection: Selection
    unique: frozenset[str]  # names of the data volumes that get a suffix
    leaves: list[Leaf] = field(default_factory=list)
    unselected: list[Path] = field(default_factory=list)  # the other leaves of the instance, below spec.template.spec
    dropped: list[Path] = field(default_factory=list)  # memory dumps and their disks, below the VM's `spec`
    _path_characters: int = MAX_PATH_CHARACTERS  # that are left
    _memory_dumps: frozenset[str] = frozenset()  # names of the memory dumps

    def instance(self, instance: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of the VirtualMachineInstanceSpec. Raises RenderError for invalid JSON."""
        dumps = [volume for _, volume in objects_in(instance.get("volumes")) if is_memory_dump(volume)]
        self._memory_dumps = frozenset(name for each in dumps if type(name := each.get("name")) is str)
        states = None
        if not self.selection.is_default:
            states = self.selection.start
            for key in INSTANCE:
                states = self.selection.step(states, key)
        return self._mapping(instance, (), 0, states, None)

    def _mapping(
        self, source: dict[str, Any], path: Path, size: int, states: States | None, item: Item | None
    ) -> dict[str, Any]:
        """Return a copy of an object of the instance. `states` is None if all leaves are selected."""
        self._check(source, path, size)
        literals, unique, selection, leaves = self.literals, self.unique, self.selection, self.leaves
        copy: dict[str, Any] = {}
        for key, value in source.items():
            kind = type(value)
            after = None if states is None else selection.step(states, key)
            placeholder = literals.key(key, source) if "${" in key else key
            if kind is dict:
                copy[placeholder] = self._mapping(value, (*path, key), size + len(key) + 1, after, item)
            elif kind is list:
                copy[placeholder] = self._sequence(value, (*path, key), size + len(key) + 1, after, item)
            elif unique and kind is str and value in unique and names_data_volume(path, key):
                copy[placeholder] = value + SUFFIX_REFERENCE
            elif key == NAME and kind is str and (after is None or not _selects(selection, after, is_name=True)):
                copy[placeholder] = literals.value(value) if "${" in value else value
            elif (kind in _SCALARS or (kind is float and isfinite(value))) and (key != NAME or after is not None):
                selected = after is None or _selects(selection, after, is_name=key == NAME)
                if selected or key in SPECIAL_KEYS:
                    copy[placeholder] = None
                    leaves.append(Leaf((*INSTANCE, *path, key), value, copy, placeholder, selected, item))
                else:
                    copy[placeholder] = literals.copy(value, (*SPEC, *path, key))
                    if key != NAME:
                        self.unselected.append((*path, key))
            else:
                copy[placeholder] = literals.copy(value, (*SPEC, *path, key))
        return copy

    def _sequence(
        self, source: list[Any], path: Path, size: int, states: States | None, outer: Item | None
    ) -> list[Any]:
        self._check(source, path, size)
        selection, leaves = self.selection, self.leaves
        droppable = path == _VOLUMES or (path == _DISKS and self._memory_dumps)
        after, decided, selected = states, None, True
        is_too_deep = len(path) + 1 >= _MAX_DEPTH
        copy: list[Any] = []
        for index, value in enumerate(source):
            kind = type(value)
            if not value and (kind is list or kind is dict) and not is_too_deep:
                copy.append(kind())
                continue
            if droppable and kind is dict and self._is_dropped(value, path):
                self.dropped.append((*INSTANCE, *path, index))
                continue
            if states:
                after = selection.step(states, index)
            if kind is dict:
                item = outer or (index, item_name(value))
                copy.append(self._mapping(value, (*path, index), size + 1, after, item))
            elif kind is list:
                copy.append(self._sequence(value, (*path, index), size + 1, after, outer or (index, "")))
            elif kind in _SCALARS or (kind is float and isfinite(value)):
                if after is not None and after is not decided:  # most often the states of the item before
                    decided, selected = after, _selects(selection, after, is_name=False)
                if selected:
                    copy.append(None)
                    leaves.append(Leaf((*INSTANCE, *path, index), value, copy, len(copy) - 1, True, outer))
                else:
                    copy.append(self.literals.value(value) if kind is str else value)
                    self.unselected.append((*path, index))
            else:
                copy.append(self.literals.copy(value, (*SPEC, *path, index)))
        return copy

    def outside(self, value: Any, path: Path, states: States) -> Any:
        """Return a copy of `value`, which is at `path` below the VM's `spec` and outside of the instance."""
        kind = type(value)
        if not states or (kind is not dict and kind is not list):
            return self.literals.copy(value, ("spec", *path))
        if len(path) + 1 >= MAX_DEPTH:
            raise validation_error(("spec", *path), value)
        step, literals = self.selection.step, self.literals
        literals.enter(value, 2)
        if kind is list:
            items: list[Any] = [None] * len(value)
            for index, item in enumerate(value):
                if not self.scalar(item, (*path, index), items, index, step(states, index)):
                    items[index] = self.outside(item, (*path, index), step(states, index))
            return items
        copy: dict[str, Any] = {}
        for key, item in value.items():
            placeholder = literals.key(key, value)
            copy[placeholder] = None
            if not self.scalar(item, (*path, key), copy, placeholder, step(states, key)):
                copy[placeholder] = self.outside(item, (*path, key), step(states, key))
        return copy

    def scalar(self, value: Any, path: Path, container: Any, key: str | int, states: States) -> bool:
        """Add the scalar at `path` below the VM's `spec`, outside of the instance, as a leaf if it is selected."""
        kind = type(value)
        if not states or not (kind in _SCALARS or (kind is float and isfinite(value))):
            return False
        if not self.selection.selects(states, inside=False, is_name=path[-1] == NAME):
            return False
        self.leaves.append(Leaf(path, value, container, key, True))
        return True

    def _check(self, source: dict[str, Any] | list[Any], path: Path, size: int) -> None:
        self._path_characters -= len(source) * size
        if len(path) >= _MAX_DEPTH:
            raise validation_error(SPEC + path, source)
        if self._path_characters < 0:
            why = f"the paths of its leaves have more than {MAX_PATH_CHARACTERS:,} characters; shorten its keys"
            raise RenderError(dotted(SPEC + path[:1]), why)
        if len(source) + len(self.leaves) > _MAX_LEAVES:
            values = source.values() if type(source) is dict else source
            scalars = sum(type(value) in _SCALARS for value in values) if self.selection.is_default else 0
            if scalars + len(self.leaves) > _MAX_LEAVES:
                raise TemplateTooLargeError
        self.literals.enter(source, 2)

    def _is_dropped(self, item: dict[str, Any], path: Path) -> bool:
        if path == _VOLUMES:
            return is_memory_dump(item)
        name = item.get(NAME)
        return type(name) is str and name in self._memory_dumps


_VOLUMES: Final[Path] = ("volumes",)
_DISKS: Final[Path] = ("domain", "devices", "disks")


def item_name(item: Any) -> str:
    """Return the name by which a form shows an item of a list; empty if it has none, or one of other characters."""
    name = item.get(NAME) if type(item) is dict else None
    return name if type(name) is str and ITEM_NAME.fullmatch(name) else ""


def is_memory_dump(volume: dict[str, Any]) -> bool:
    """Return True if `volume` is a memory dump of the source VM. Rule 10."""
    return value_at(volume, "memoryDump") is not None


def _selects(selection: Selection, states: States, *, is_name: bool) -> bool:
    return selection.selects(states, inside=True, is_name=is_name)
