"""The krew plugin: one archive per platform, and the manifest with their checksums. The texts are in config/krew."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from atmpl.version import __version__
from e2e.manifests import CONFIG

TEXTS = CONFIG / "krew"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {  # krew's names: uv's
    ("linux", "amd64"): "x86_64-manylinux_2_28",
    ("linux", "arm64"): "aarch64-manylinux_2_28",
    ("darwin", "amd64"): "x86_64-apple-darwin",
    ("darwin", "arm64"): "aarch64-apple-darwin",
}

Platform = tuple[str, str]


def write(folder: Path, url: str, platforms: Sequence[Platform] = tuple(PLATFORMS)) -> None:
    """Write the archives and atmpl.yaml into a folder. `url` is where the archives will be.

    Downloads the packages that config/image pins by hash. Raises subprocess.CalledProcessError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / "packages"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", work / "wheel"],
        cwd=CONFIG.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    [wheel] = (work / "wheel").glob("*.whl")
    archives = {}
    for platform in platforms:
        libraries = {python: work / "-".join((*platform, python)) for python in PYTHONS}
        for python, target in libraries.items():
            _install(wheel, target, python, PLATFORMS[platform])
        archives[platform] = folder / f"kubectl-atmpl-{'-'.join(platform)}.tar.gz"
        archive(archives[platform], libraries)
    shutil.rmtree(work)
    (folder / "atmpl.yaml").write_text(manifest(archives, url))


def archive(path: Path, libraries: Mapping[str, Path]) -> None:
    """Write an archive: the launcher, the license, and per version of Python the folder of its packages."""
    with tarfile.open(path, "w:gz", dereference=True) as tar:  # krew cannot unpack links
        tar.add(TEXTS / "kubectl-atmpl", "kubectl-atmpl")
        tar.add(CONFIG.parent / "LICENSE", "LICENSE")
        for python, folder in libraries.items():
            tar.add(folder, f"lib/{python}")


def manifest(archives: Mapping[Platform, Path], url: str) -> str:
    """Return the manifest for these archives."""
    plugin = yaml.safe_load((TEXTS / "atmpl.yaml").read_text())
    plugin["spec"] |= {
        "version": f"v{__version__}",
        "platforms": [
            {
                "selector": {"matchLabels": {"os": system, "arch": machine}},
                "uri": f"{url}/{path.name}",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "bin": "kubectl-atmpl",
            }
            for (system, machine), path in archives.items()
        ],
    }
    return yaml.safe_dump(plugin, sort_keys=False, width=120)


def _install(wheel: Path, target: Path, python: str, platform: str) -> None:
    """Install the pinned packages and the wheel for another platform."""
    uv = ("uv", "pip", "install", "--quiet", "--no-config", "--system-certs", "--no-build")
    where = ("--target", target, "--python-version", python, "--python-platform", platform)
    pins = (CONFIG / "image" / "requirements.txt").read_text()
    pins = re.sub(r"^uvloop==.*?(?=^\S|\Z)", "", pins, flags=re.MULTILINE | re.DOTALL)  # of use to the controller only
    subprocess.run([*uv, *where, "--require-hashes", "--requirements", "-"], input=pins, text=True, check=True)
    subprocess.run([*uv, *where, "--no-deps", "--no-index", wheel], check=True)
