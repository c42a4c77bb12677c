"""The map in `e2e`: a newcomer finds there what each folder and module is for, and how it is run."""

import re
from pathlib import Path

import e2e

FOLDER = Path(e2e.__file__).parent
JUSTFILE = (FOLDER.parent / "Justfile").read_text()


def test_every_room_is_on_the_map() -> None:
    rooms = {f"{path.parent.name}/" for path in FOLDER.glob("*/__init__.py")}
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    named = set(re.findall(r"`([a-z0-9_]+/?)`", e2e.__doc__ or ""))
    assert named == rooms | modules


def test_every_recipe_on_the_map_exists() -> None:
    recipes = set(re.findall(r"^([a-z-]+)(?: [^:=\n]*)?:(?!=)", JUSTFILE, re.MULTILINE))
    assert set(re.findall(r"`just ([a-z-]+)`", e2e.__doc__ or "")) <= recipes
