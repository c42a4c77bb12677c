"""The packages of the image are those that pyproject.toml requires, pinned by hash; its bases are pinned by digest."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from e2e.image.pin import FOLDER, ROOT, pin_bases, unpinned_bases, wanted

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


def test_image_and_one_file_program_have_the_same_pins() -> None:
    """Else run `just pin`: it writes all files on the same day."""
    image, program = pins("requirements.txt"), pins("one-file.txt")
    common = image.keys() & program.keys()
    assert len(common) > 10
    assert {name: image[name][0] for name in common} == {name: program[name][0] for name in common}


def test_audit_covers_every_pin_and_fails_without_data() -> None:
    """Without --strict, pip-audit skips a package that its source does not know, and exits 0 (seen)."""
    recipe = (ROOT / "Justfile").read_text().partition("\naudit:\n")[2].partition("\n\n")[0].splitlines()
    assert {line.split("--requirement ")[1] for line in recipe} == {f"config/image/{name}" for name in WANTED}
    assert all(" --strict " in line for line in recipe)


DIGEST = f"sha256:{'7' * 64}"


@pytest.fixture
def dockerfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the Dockerfile without digests, and a docker that knows the digest of each tag."""
    file = tmp_path / "Dockerfile"
    file.write_text(re.sub("@sha256:[0-9a-f]+", "", (ROOT / "Dockerfile").read_text()))
    program = tmp_path / "docker"
    program.write_text(f"""#!/bin/sh
[ "$*" = "buildx imagetools inspect --format {{{{json .Manifest}}}} python:3.13-slim-trixie" ] || exit 1
echo '{{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "{DIGEST}"}}'
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return file


def test_bases_are_pinned_by_digest(dockerfile: Path) -> None:
    assert unpinned_bases(dockerfile) == ["BUILD_BASE", "RUN_BASE"]
    before = dockerfile.read_text()
    pin_bases(dockerfile)
    assert unpinned_bases(dockerfile) == []
    after = dockerfile.read_text()
    assert f"\nARG RUN_BASE=python:3.13-slim-trixie@{DIGEST}\n" in after
    assert after.replace(f"@{DIGEST}", "") == before
    dockerfile.write_text(after.replace("7", "8"))  # an older digest
    pin_bases(dockerfile)
    assert dockerfile.read_text().count(DIGEST) == 2


def test_dockerfile_is_unchanged_if_the_registry_does_not_answer(dockerfile: Path) -> None:
    before = dockerfile.read_text().replace("3.13", "3.99")
    dockerfile.write_text(before)
    with pytest.raises(subprocess.CalledProcessError):
        pin_bases(dockerfile)
    assert dockerfile.read_text() == before
