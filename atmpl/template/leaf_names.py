"""The names of all leaves of one VM. Rule 2.

Whether a name is unique is decided among all scalars of `spec`, selected or not, so a selection changes no name. Leaves
outside of `spec.template.spec` never change a name inside, and `name` leaves never change another one.
"""

from typing import Any, Final

from atmpl.template.json_path import INSTANCE, Path
from atmpl.template.leaves import Leaf
from atmpl.template.parameter_names import Name, assign_names, base_name, lengthen_duplicates, named, outside_name
from atmpl.template.rules import IGNITION, IGNITION_PARAMETER
from atmpl.template.selection import NAME

IGNITION_PATH: Final[Path] = ("template", "metadata", "annotations", IGNITION)


class LeafNames:
    """The names of the leaves of one VM. The parts that a VM rarely needs are computed on demand."""

    def __init__(self, leaves: list[Leaf], unselected: list[Path], spec: dict[str, Any], *, console: bool) -> None:
        """Assign the names inside the instance. `unselected` are the paths of its leaves that are not in `leaves`."""
        self._spec = spec
        self._console = console
        inside = [path[2:] for leaf in leaves if (path := leaf.path)[-1] != NAME and path[:2] == INSTANCE]
        assigned = assign_names(inside, unselected)
        self._inside, self._unselected = inside, unselected
        self._taken: set[str] = set()
        self._others: dict[Path, Name] | None = None
        if len(inside) == len(leaves):
            self.names = assigned[: len(inside)]
        else:
            known = iter(assigned)
            self.names = [
                next(known) if leaf.is_inside and leaf.path[-1] != NAME else self._other(leaf.path) for leaf in leaves
            ]

    def all(self) -> set[str]:
        """Return the names of all scalars, selected or not."""
        self._other_names()
        return self._taken

    def _other(self, path: Path) -> Name:
        return named(IGNITION_PARAMETER, "Ignition data") if path == IGNITION_PATH else self._other_names()[path]

    def _other_names(self) -> dict[Path, Name]:
        """Return the names of the leaves outside of the instance, and of `name` leaves."""
        if self._others is None:
            self._others = {}
            self._taken.update(name.name for name in assign_names(self._inside + self._unselected))
            paths = scalar_paths(self._spec, ())
            inside_names = [path for path in paths if path[:2] == INSTANCE and path[-1] == NAME]
            outside = [path for path in paths if path[:2] != INSTANCE and path != IGNITION_PATH]
            for group in (
                [path for path in outside if path[-1] != NAME],
                inside_names,
                [path for path in outside if path[-1] == NAME],
            ):
                names = lengthen_duplicates([self._base(path) for path in group], group, self._taken)
                self._taken.update(name.name for name in names)
                self._others.update(zip(group, names, strict=True))
        return self._others

    def _base(self, path: Path) -> Name:
        if path[:2] == INSTANCE:
            return base_name(path[2:])
        if path == ("running",) and self._console:
            return outside_name(("runStrategy",))  # `console: Complete` replaces it
        return outside_name(path)


def scalar_paths(value: Any, path: Path) -> list[Path]:
    """Return the paths of all scalars below `value`, which is at `path`, except `null`."""
    if type(value) is dict:
        return [found for key, item in value.items() for found in scalar_paths(item, (*path, key))]
    if type(value) is list:
        return [found for index, item in enumerate(value) for found in scalar_paths(item, (*path, index))]
    return [] if value is None else [path]
