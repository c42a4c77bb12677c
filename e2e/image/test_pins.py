"""The pinned packages can be installed with their hashes and without a compiler, on each platform."""

import subprocess
from pathlib import Path

import pytest

from e2e.image.pin import FOLDER

LINUX = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
OTHERS = ("x86_64-apple-darwin", "aarch64-apple-darwin", "x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc")
CASES = {
    f"{file} {python} {platform}": (file, python, platform)
    for file, platforms in (("requirements.txt", LINUX), ("build.txt", LINUX), ("one-file.txt", LINUX + OTHERS))
    for python in (("3.13",) if file == "one-file.txt" else ("3.11", "3.13"))
    for platform in platforms
}


@pytest.mark.parametrize("case", CASES)
def test_every_pin_has_a_wheel(tmp_path: Path, case: str) -> None:
    file, python, platform = CASES[case]
    done = subprocess.run(
        [
            *("uv", "pip", "install", "--dry-run", "--no-config", "--system-certs", "--no-cache", "--no-build"),
            *("--require-hashes", "--target", tmp_path, "--python-version", python),
            *("--python-platform", platform, "--requirements", FOLDER / file),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stderr
