"""What a release is made of: as far as it goes without a registry and without who signs."""

import os
from pathlib import Path

import pytest
import yaml

from atmpl.version import __version__
from e2e import release

DIGEST = f"sha256:{'7' * 64}"


def test_the_manifest_is_all_of_it_with_the_image_that_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert release.main(["manifest", f"registry/atmpl@{DIGEST}"]) == 0
    objects = list(yaml.safe_load_all(capfd.readouterr().out))
    [deployment] = [it for it in objects if it["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry/atmpl@{DIGEST}"
    assert {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ClusterRole"} <= {it["kind"] for it in objects}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker and cosign that write down how they were called; docker says which image came of it."""
    told = tmp_path / "told"
    for name in ("docker", "cosign"):
        program = tmp_path / name
        program.write_text(
            f"""#!/bin/sh
echo {name} "$@" >> {told}
for word; do case $word in --metadata-file=*)
  echo '{{"containerimage.digest": "{DIGEST}"}}' > "${{word#*=}}";;
esac; done
"""
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return told


def test_what_is_published_is_named_by_its_digest_and_comes_with_sbom_and_provenance(
    programs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert release.main(["publish", "registry/atmpl", f"v{__version__}"]) == 0
    assert capfd.readouterr().out == f"registry/atmpl@{DIGEST}\n"
    words = programs.read_text().split()
    assert {"--platform=linux/amd64,linux/arm64", "--sbom=true", "--provenance=mode=max", "--push"} <= set(words)
    assert f"--tag=registry/atmpl:{__version__}" in words


def test_a_tag_that_is_not_the_version_publishes_nothing(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert release.main(["publish", "registry/atmpl", "v9.9.9"]) == 1
    assert "the tag is v9.9.9" in capfd.readouterr().err
    assert not programs.exists()


def test_only_what_is_named_by_its_digest_is_signed(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert release.main(["sign", "registry/atmpl:latest"]) == 1
    assert "is not IMAGE@sha256:DIGEST" in capfd.readouterr().err
    assert not programs.exists()
    assert release.main(["sign", f"registry/atmpl@{DIGEST}"]) == 0
    assert programs.read_text() == f"cosign sign --yes registry/atmpl@{DIGEST}\n"


def test_a_program_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert release.main(["sign", f"registry/atmpl@{DIGEST}"]) == 1
    assert capfd.readouterr().err == "error: cosign is not installed here\n"
