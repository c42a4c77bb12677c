"""What the image is made of is what pyproject.toml asks for, pinned by hash."""

import re

import pytest
from packaging.requirements import Requirement

from e2e.image.pin import FOLDER, wanted

WANTED = wanted()


def pins(name: str) -> dict[str, tuple[str, list[str]]]:
    """Return version and hashes by the package's name."""
    found = {}
    for entry in re.split(r"\n(?=\S)", (FOLDER / name).read_text()):
        if entry.startswith("#"):
            continue
        package, version = re.match(r"(\S+)==(\S+)", entry).groups()
        found[package] = version, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)
    return found


@pytest.mark.parametrize("name", WANTED)
def test_every_requirement_is_pinned_within_its_range(name: str) -> None:
    """Else run `just pin`."""
    pinned = pins(name)
    for requirement in map(Requirement, WANTED[name]):
        version, _ = pinned[requirement.name.lower().replace("_", "-")]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("name", WANTED)
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    assert all(hashes for _, hashes in pins(name).values())
    assert "://" not in (FOLDER / name).read_text()
    assert not re.search(r"^--(index|extra|find)", (FOLDER / name).read_text(), re.MULTILINE)
