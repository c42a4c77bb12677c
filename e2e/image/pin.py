"""Pins the packages of the image by version and hash: `just pin`. Reads pyproject.toml, writes config/image/*.txt."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "image"


def wanted() -> dict[str, list[str]]:
    """Return the requirements of pyproject.toml, by the file that pins them."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        "requirements.txt": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["fast"],
        "build.txt": project["build-system"]["requires"],
    }


def main() -> None:
    """Write the files, for all platforms and all supported versions of Python."""
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


if __name__ == "__main__":
    main()
