"""The pinned packages can be installed with their hashes and without a compiler, on both architectures."""

import subprocess
from pathlib import Path

import pytest

from e2e.image.pin import FOLDER


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("file", ["requirements.txt", "build.txt"])
def test_every_pin_has_a_wheel(tmp_path: Path, machine: str, python: str, file: str) -> None:
    done = subprocess.run(
        [
            *("uv", "pip", "install", "--dry-run", "--no-config", "--system-certs", "--no-cache", "--no-build"),
            *("--require-hashes", "--target", tmp_path, "--python-version", python),
            *("--python-platform", f"{machine}-manylinux_2_28", "--requirements", FOLDER / file),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stderr
