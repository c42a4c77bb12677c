"""The packages that atmpl requires, as they are installed here."""

from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement


def link_dependencies(folder: Path) -> None:
    """Link what atmpl requires into a folder of packages, and nothing else of this environment."""
    for name in dependencies("atmpl") - {"atmpl"}:
        files = distribution(name)
        for top in {file.parts[0] for file in files.files or [] if file.parts[0] not in {"..", "__pycache__"}}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(files.locate_file(top))))


def dependencies(name: str) -> set[str]:
    """Return the names of all packages that a package requires here, itself included, without extras."""
    found: set[str] = set()
    pending = [name]
    while pending:
        if (current := pending.pop()) in found:
            continue
        found.add(current)
        required = map(Requirement, distribution(current).requires or [])
        pending += [it.name for it in required if it.marker is None or it.marker.evaluate({"extra": ""})]
    return found
