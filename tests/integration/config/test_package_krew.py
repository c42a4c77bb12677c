"""The krew plugin: its archive runs from a link, as krew installs it, and its manifest names the archive."""

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from atmpl.version import __version__
from e2e import gotools, krew
from e2e.envtest import programs
from tests.support.manifests import CONFIG
from tests.support.packages import link_dependencies

SAMPLE = CONFIG / "samples" / "vm.yaml"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LINUX = ("linux", "amd64")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with packages for the Python that runs the tests; those of a release come from an index."""
    folder = tmp_path_factory.mktemp("krew")
    packages = folder / "packages"
    packages.mkdir()
    link_dependencies(packages)
    (packages / "atmpl").symlink_to(CONFIG.parent / "atmpl")
    path = folder / "kubectl-atmpl-linux-amd64.tar.gz"
    krew.archive(path, {PYTHON: packages})
    return path


@pytest.fixture(scope="module")
def manifest(archive: Path) -> Any:
    return yaml.safe_load(krew.manifest({LINUX: archive}, "https://example.com/v0"))


@pytest.fixture(scope="module")
def plugin(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin as krew puts it on PATH: a link to a link to the launcher."""
    folder = tmp_path_factory.mktemp("store")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "v0", filter="data")
    (folder / "bin").mkdir()
    (folder / "current").symlink_to("v0")
    path = folder / "bin" / "kubectl-atmpl"
    path.symlink_to("../current/kubectl-atmpl")
    return path


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with this Python, and without the other programs of this environment."""
    (tmp_path / f"python{PYTHON}").symlink_to(sys.executable)
    return f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"


def run(*command: Path | str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_plugin_runs_from_a_link(plugin: Path, path: str) -> None:
    assert run(plugin, "--version", PATH=path).stdout == f"atmpl {__version__}\n"
    assert run(plugin, "render", SAMPLE, PATH=path).stdout.startswith("apiVersion: template.openshift.io/v1\n")


def test_plugin_ignores_pythonpath(plugin: Path, path: str, tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('wrong yaml')")
    done = run(plugin, "render", SAMPLE, PATH=path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, "wrong yaml" in done.stderr) == (0, False)


def test_plugin_without_python_says_what_to_install(plugin: Path, tmp_path: Path) -> None:
    for program in ("readlink", "dirname"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    done = run("/bin/sh", plugin, "--version", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "3.13" in done.stderr


def test_manifest_names_the_archive(manifest: Any, archive: Path) -> None:
    [platform] = manifest["spec"]["platforms"]
    assert manifest["spec"]["version"] == f"v{__version__}"
    assert platform == {
        "selector": {"matchLabels": {"os": "linux", "arch": "amd64"}},
        "uri": "https://example.com/v0/kubectl-atmpl-linux-amd64.tar.gz",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "bin": "kubectl-atmpl",
    }


def test_archive_holds_no_links(archive: Path) -> None:
    """krew cannot unpack them."""
    with tarfile.open(archive) as tar:
        assert [it.name for it in tar if not (it.isfile() or it.isdir())] == []
        assert {it.name.split("/")[0] for it in tar} == {"kubectl-atmpl", "LICENSE", "lib"}


def test_archive_supports_the_versions_of_the_project() -> None:
    text = (CONFIG.parent / "pyproject.toml").read_text()
    assert all(f'"Programming Language :: Python :: {version}"' in text for version in krew.PYTHONS)
    assert all(f"python{version}" in (krew.TEXTS / "kubectl-atmpl").read_text() for version in krew.PYTHONS)


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="the archive is for linux/amd64")
def test_krew_installs_the_plugin(archive: Path, manifest: Any, path: str, tmp_path: Path) -> None:
    program = gotools.available("krew")
    if program is None:
        pytest.skip("no krew here: `just packages` builds it")
    file = tmp_path / "atmpl.yaml"
    file.write_text(yaml.safe_dump(manifest))
    root = tmp_path / "krew"
    root.mkdir()
    done = run(program, "install", f"--manifest={file}", f"--archive={archive}", PATH=path, KREW_ROOT=str(root))
    assert done.returncode == 0, done.stderr
    kubectl = programs.find("kubectl")["kubectl"]
    done = run(kubectl, "atmpl", "--version", PATH=f"{root / 'bin'}{os.pathsep}{path}")
    assert done.stdout == f"atmpl {__version__}\n"
