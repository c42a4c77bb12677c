"""The artifacts of a release, without Docker and without a package index."""

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atmpl.version import __version__
from e2e import gotools, krew, release

PROGRAMS = {
    *("atmpl-linux-amd64", "atmpl-linux-arm64", "atmpl-darwin-amd64", "atmpl-darwin-arm64"),
    *("atmpl-windows-amd64.exe", "atmpl-windows-arm64.exe"),
}
ARCHIVES = {
    *("kubectl-atmpl-linux-amd64.tar.gz", "kubectl-atmpl-linux-arm64.tar.gz"),
    *("kubectl-atmpl-darwin-amd64.tar.gz", "kubectl-atmpl-darwin-arm64.tar.gz"),
    *("kubectl-atmpl-windows-amd64.zip", "kubectl-atmpl-windows-arm64.zip"),
}
DIGEST = f"sha256:{'7' * 64}"
IMAGE = f"registry/atmpl@{DIGEST}"


def test_manifest_has_every_object_and_the_image(capfd: pytest.CaptureFixture[str]) -> None:
    assert release.main(["manifest", IMAGE]) == 0
    objects = list(yaml.safe_load_all(capfd.readouterr().out))
    assert image_of(objects) == IMAGE
    assert {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ClusterRole"} <= {it["kind"] for it in objects}


def image_of(objects: list[Any]) -> str:
    [deployment] = [it for it in objects if it["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    image: str = container["image"]
    return image


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that records its arguments and reports an image; the file of the records."""
    calls = tmp_path / "calls"
    program = tmp_path / "docker"
    program.write_text(
        f"""#!/bin/sh
echo docker "$@" >> {calls}
for word; do case $word in
--metadata-file=*) echo '{{"containerimage.digest": "{DIGEST}"}}' > "${{word#*=}}";;
--output=*) echo image > "${{word##*=}}";;
esac; done
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return calls


def test_image_has_sbom_and_provenance_for_both_platforms(docker: Path, tmp_path: Path) -> None:
    assert release.build_image("registry/atmpl", tmp_path / "image.tar") == IMAGE
    words = set(docker.read_text().split())
    assert {"--platform=linux/amd64,linux/arm64", "--sbom=true", "--provenance=mode=max"} <= words
    assert f"--tag=registry/atmpl:{__version__}" in words
    assert "--push" not in words  # publishing is another job's
    assert (tmp_path / "image.tar").exists()


def chart_without_helm(image: str, folder: Path) -> None:
    (folder / f"atmpl-{__version__}.tgz").write_text(image)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The one-file programs of all platforms, as the workflow's runners leave them."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for platform in krew.PLATFORMS:
        (folder / krew.name(platform)).write_text("-".join(platform))
    return folder


@pytest.fixture
def written(
    docker: Path, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[], Path]:
    def write() -> Path:
        monkeypatch.setattr(release, "unpinned_bases", list)  # as after `just pin`
        if gotools.available("helm") is None:
            monkeypatch.setattr(release, "package_chart", chart_without_helm)
        folder = tmp_path / "artifacts"
        assert release.main(["artifacts", "registry/atmpl", f"v{__version__}", str(programs), str(folder)]) == 0
        assert capfd.readouterr().out == f"{IMAGE}\n"
        return folder

    return write


def test_artifacts_are_complete_and_name_the_image(written: Callable[[], Path]) -> None:
    folder = written()
    assert (folder / "image.txt").read_text() == f"{IMAGE}\n"
    assert (folder / "image.tar").exists()
    files = folder / "files"
    assert {path.name for path in files.iterdir()} == {
        *("install.yaml", "install-single-node.yaml", "policy.yaml", "atmpl.yaml", "SHA256SUMS"),
        *(f"atmpl-{__version__}.tgz", f"atmpl-{__version__}.tar.gz", f"atmpl-{__version__}-py3-none-any.whl"),
        f"atmpl-olm-bundle-{__version__}.tar.gz",
        *PROGRAMS,
        *ARCHIVES,
    }
    for name in ("install.yaml", "install-single-node.yaml"):
        assert image_of(list(yaml.safe_load_all((files / name).read_text()))) == IMAGE
    with tarfile.open(files / f"atmpl-olm-bundle-{__version__}.tar.gz") as tar:
        assert "bundle/manifests/atmpl.clusterserviceversion.yaml" in tar.getnames()
    lines = [line.split("  ") for line in (files / "SHA256SUMS").read_text().splitlines()]
    assert {name: digest for digest, name in lines} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files.iterdir()
        if path.name != "SHA256SUMS"
    }


@pytest.mark.skipif(gotools.available("helm") is None, reason="no helm here: `just packages` builds it")
def test_packaged_chart_has_the_image_and_no_links(written: Callable[[], Path]) -> None:
    with tarfile.open(written() / "files" / f"atmpl-{__version__}.tgz") as tar:
        assert all(it.isfile() for it in tar)
        file = tar.extractfile("atmpl/values.yaml")
        assert file is not None
        values = yaml.safe_load(file.read())
        assert (values["image"]["repository"], values["image"]["digest"]) == ("registry/atmpl", DIGEST)
        assert "atmpl/files/policy/policy-v1.yaml" in tar.getnames()


WRONG = {"tag": "v9.9.9", "program": "atmpl-darwin-arm64", "base": "RUN_BASE"}


@pytest.mark.parametrize("wrong", WRONG)
def test_incomplete_release_builds_nothing(
    wrong: str, docker: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = programs.parent / "artifacts"
    monkeypatch.setattr(release, "unpinned_bases", lambda: ["RUN_BASE"] if wrong == "base" else [])
    if wrong == "program":
        (programs / "atmpl-darwin-arm64").unlink()
    tag = "v9.9.9" if wrong == "tag" else f"v{__version__}"
    assert release.main(["artifacts", "registry/atmpl", tag, str(programs), str(folder)]) == 1
    assert WRONG[wrong] in capfd.readouterr().err
    assert not docker.exists()
    assert not folder.exists()


def test_missing_program_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], programs: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(release, "unpinned_bases", list)
    monkeypatch.setattr(release, "build_image", lambda *_: (_ for _ in ()).throw(FileNotFoundError(2, "", "docker")))
    assert (
        release.main(["artifacts", "registry/atmpl", f"v{__version__}", str(programs), str(tmp_path / "artifacts")])
        == 1
    )
    assert "docker" in capfd.readouterr().err
