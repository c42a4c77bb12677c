"""Pins what the image is made of: `just pin`. Reads pyproject.toml, writes config/image/*.txt and the Dockerfile.

Packages are pinned by version and hash, base images by digest. `one-file.txt` pins what the one-file program contains.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "image"
DOCKERFILE = ROOT / "Dockerfile"
_BASE = re.compile(r"^ARG (?P<argument>\w+_BASE)=(?P<tag>[^@\s]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?$", re.MULTILINE)


def wanted() -> dict[str, list[str]]:
    """Return the requirements of pyproject.toml, by the file that pins them."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dependencies, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    return {
        "requirements.txt": dependencies + extras["fast"],
        "build.txt": project["build-system"]["requires"],
        "one-file.txt": dependencies + extras["one-file"],
    }


def unpinned_bases(dockerfile: Path = DOCKERFILE) -> list[str]:
    """Return the build arguments whose default base image has no digest."""
    return [base["argument"] for base in _BASE.finditer(dockerfile.read_text()) if not base["digest"]]


def pin_bases(dockerfile: Path = DOCKERFILE) -> None:
    """Write the current digest of each base image into the Dockerfile.

    Raises subprocess.CalledProcessError, FileNotFoundError without docker.
    """
    text = dockerfile.read_text()
    digests = {tag: _digest(tag) for tag in {base["tag"] for base in _BASE.finditer(text)}}
    dockerfile.write_text(_BASE.sub(lambda base: f"ARG {base['argument']}={base['tag']}@{digests[base['tag']]}", text))


def _digest(tag: str) -> str:
    """Return the digest that the registry has for a tag: of the index, which names the image of each platform."""
    command = ("docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", tag)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    digest: str = json.loads(done.stdout)["digest"]
    return digest


def main() -> int:
    """Write the files, for all platforms and all supported versions of Python; return the exit status."""
    for name, requirements in wanted().items():
        subprocess.run(
            [
                *("uv", "pip", "compile", "--quiet", "--no-config", "--universal", "--python-version", "3.11"),
                *("--generate-hashes", "--no-annotate", "--upgrade", "--system-certs"),
                *("--custom-compile-command", "just pin", "--output-file", str(FOLDER / name), "-"),
            ],
            input="\n".join(requirements),
            text=True,
            check=True,
        )
        print(f"{FOLDER / name}")
    try:
        pin_bases()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"error: Dockerfile: no digests ({error}); docker with buildx must reach the registry", file=sys.stderr)
        return 1
    print(f"{DOCKERFILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
