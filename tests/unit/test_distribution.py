"""The wheel and the sdist: built, and the wheel installed into an environment that has its dependencies only."""

import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from atmpl.version import __version__
from tests.support.packages import link_dependencies
from tests.support.platforms import needs_posix

CHECKOUT = Path(__file__).parents[2]
SAMPLE = CHECKOUT / "config" / "samples" / "vm.yaml"


def run(*command: Path | str, cwd: Path = CHECKOUT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--directory", path)
    return path


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and of everything else only what the wheel requires."""
    needs_posix("links that every user may create")
    path = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", path)
    pip = (sys.executable, "-m", "pip", "--python", path / "bin" / "python", "install", "--quiet")
    run(*pip, "--no-index", "--no-deps", wheel)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(path), "platbase": str(path)}))
    link_dependencies(packages)
    return path


def test_commands_of_the_wheel_run(environment: Path, tmp_path: Path) -> None:
    for command in ("atmpl", "kubectl-atmpl"):
        assert run(environment / "bin" / command, "--version", cwd=tmp_path).strip().endswith(__version__)
    template = run(environment / "bin" / "atmpl", "render", SAMPLE, cwd=tmp_path)
    assert template.startswith("apiVersion: template.openshift.io/v1\nkind: Template\n")


def test_library_of_the_wheel_imports_without_the_controller(environment: Path, tmp_path: Path) -> None:
    code = "import atmpl, importlib.util as u; print(callable(atmpl.render), u.find_spec('pytest'))"
    assert run(environment / "bin" / "python", "-I", "-c", code, cwd=tmp_path) == "True None\n"


def test_controller_of_the_wheel_starts(environment: Path, tmp_path: Path) -> None:
    """It imports all of its modules, and ends because there is no cluster."""
    kubeconfig = tmp_path / "kubeconfig"
    command = [environment / "bin" / "atmpl", "controller", f"--kubeconfig={kubeconfig}", "--log-format=text"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr


def test_wheel_holds_the_package_and_its_license(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"atmpl", f"atmpl-{__version__}.dist-info"}
    assert f"atmpl-{__version__}.dist-info/licenses/LICENSE" in names
    assert "atmpl/py.typed" in names


def test_wheel_metadata_is_valid(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"atmpl-{__version__}.dist-info/METADATA")
    metadata = Metadata.from_email(text, validate=True)
    assert (metadata.name, str(metadata.version)) == ("atmpl", __version__)
    assert metadata.description_content_type == "text/markdown"
    assert metadata.license_expression == "Apache-2.0"


def test_sdist_builds_the_same_wheel(folder: Path, wheel: Path, tmp_path: Path) -> None:
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"atmpl-{__version__}"
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path / "again", cwd=source)
    [again] = (tmp_path / "again").glob("*.whl")
    assert again.read_bytes() == wheel.read_bytes()
    for folder_name in ("atmpl", "tests", "config"):
        assert (source / folder_name).is_dir()
    assert not re.search(r"\.venv|\.git/|node_modules", "\n".join(map(str, source.rglob("*"))))


def test_description_has_absolute_links(wheel: Path) -> None:
    """PyPI shows it without the repository."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"atmpl-{__version__}.dist-info/METADATA").decode()
    description = text.partition("\n\n")[2]
    links = re.findall(r"\]\(([^)]+)\)", description)
    assert "https://github.com/OWNER/atmpl/blob/main/LICENSE" in links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
