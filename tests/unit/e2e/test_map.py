"""e2e/README.md names each folder and module, and recipes that exist."""

import re
from pathlib import Path

import e2e

FOLDER = Path(e2e.__file__).parent
OVERVIEW = (FOLDER / "README.md").read_text()
JUSTFILE = (FOLDER.parent / "Justfile").read_text()


def test_overview_names_every_folder_and_module() -> None:
    folders = {f"{path.parent.name}/" for path in FOLDER.glob("*/__init__.py")}
    modules = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}
    assert folders | modules <= set(re.findall(r"\[([\w./]+)\]\(", OVERVIEW))


def test_overview_names_existing_recipes() -> None:
    recipes = set(re.findall(r"^([a-z-]+)(?: [^:=\n]*)?:(?!=)", JUSTFILE, re.MULTILINE))
    assert set(re.findall(r"`just ([a-z-]+)`", OVERVIEW)) <= recipes
