"""The krew plugin: the command line as one file in an archive per platform, and the manifest with their checksums.

The texts of the manifest are in config/krew. `just one-file` makes the program of the platform that it runs on.
"""

import hashlib
import platform as host
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from atmpl.version import __version__
from e2e.manifests import CONFIG

TEXTS = CONFIG / "krew" / "atmpl.yaml"
LICENSE = CONFIG.parent / "LICENSE"

Platform = tuple[str, str]  # krew's names of system and architecture
PLATFORMS: tuple[Platform, ...] = tuple(
    (system, machine) for system in ("linux", "darwin", "windows") for machine in ("amd64", "arm64")
)

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}  # Python's names: krew's


def this_platform() -> Platform:
    """Return the platform that this process runs on."""
    return host.system().lower(), _MACHINES[host.machine().lower()]


def write(programs: Path, folder: Path, url: str) -> None:
    """Write an archive per program, and atmpl.yaml, into a folder. `url` is where the archives will be.

    Raises FileNotFoundError if the program of a platform is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archives = {platform: archive(programs / name(platform), folder, platform) for platform in PLATFORMS}
    (folder / "atmpl.yaml").write_text(manifest(archives, url))


def name(platform: Platform) -> str:
    """Return the file name of the program for a platform, in a release."""
    return f"atmpl-{'-'.join(platform)}{_suffix(platform)}"


def archive(program: Path, folder: Path, platform: Platform) -> Path:
    """Write the archive of a program: itself, under the name by which kubectl finds it, and the license."""
    path = folder / f"kubectl-atmpl-{'-'.join(platform)}"
    plugin = _plugin(platform)
    if platform[0] == "windows":
        path = path.with_name(f"{path.name}.zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.write(program, plugin)
            packed.write(LICENSE, LICENSE.name)
    else:
        path = path.with_name(f"{path.name}.tar.gz")
        with tarfile.open(path, "w:gz", dereference=True) as tar:  # krew cannot unpack links
            tar.add(program, plugin, filter=_executable)
            tar.add(LICENSE, LICENSE.name)
    return path


def manifest(archives: Mapping[Platform, Path], url: str) -> str:
    """Return the manifest for these archives."""
    plugin = yaml.safe_load(TEXTS.read_text())
    plugin["spec"] |= {
        "version": f"v{__version__}",
        "platforms": [
            {
                "selector": {"matchLabels": {"os": platform[0], "arch": platform[1]}},
                "uri": f"{url}/{path.name}",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "bin": _plugin(platform),
            }
            for platform, path in archives.items()
        ],
    }
    return yaml.safe_dump(plugin, sort_keys=False, width=120)


def _plugin(platform: Platform) -> str:
    return f"kubectl-atmpl{_suffix(platform)}"


def _suffix(platform: Platform) -> str:
    return ".exe" if platform[0] == "windows" else ""


def _executable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode = 0o755  # artifacts of workflows lose the mode
    return entry
