"""Base images for the Dockerfile, made from Debian's packages by debootstrap, if no image registry can be reached.

Like `python:3-slim`, they are a small Debian with Python. The build base also has pip.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.envtest.build import print_progress

SUITE = "trixie"  # has the same Python as the Dockerfile's default bases


@dataclass(frozen=True)
class Base:
    """A base image: its tag, and its packages in addition to Python."""

    tag: str
    packages: tuple[str, ...]


# build argument of the Dockerfile: its base image
BASES = {
    "RUN_BASE": Base(f"localhost/atmpl-run-base:{SUITE}", ()),
    "BUILD_BASE": Base(f"localhost/atmpl-build-base:{SUITE}", ("python3-pip", "python3-venv")),
}

# files that no container reads; Debian's slim images omit them too
_OMITTED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")


@contextmanager
def folders(wanted: Sequence[Base]) -> Iterator[list[Path]]:
    """Make a temporary build folder with Dockerfile and file system for each base. Takes minutes.

    Raises subprocess.CalledProcessError.
    """
    print_progress(f"making {', '.join(base.tag for base in wanted)} from Debian {SUITE}: once, about 2 minutes")
    with tempfile.TemporaryDirectory(prefix="atmpl-bases-") as scratch:
        plain = Path(scratch) / "plain"
        _run("debootstrap", "--variant=minbase", "--include=python3,ca-certificates", SUITE, plain)
        yield [_folder(Path(scratch) / f"base{number}", plain, base) for number, base in enumerate(wanted)]


def _folder(folder: Path, plain: Path, base: Base) -> Path:
    root = folder / "root"
    folder.mkdir()
    _run("cp", "--archive", "--reflink=auto", plain, root)
    if base.packages:
        _run("chroot", root, "apt-get", "update")
        _run("chroot", root, "apt-get", "install", "--yes", "--no-install-recommends", *base.packages)
    for omitted in _OMITTED:
        shutil.rmtree(root / omitted)
        (root / omitted).mkdir()
    _run("tar", "--create", "--numeric-owner", "--file", folder / "root.tar", "--directory", root, ".")
    shutil.rmtree(root)
    (folder / "Dockerfile").write_text("FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin\n")
    return folder


def _run(*command: str | Path) -> None:
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    subprocess.run(command, env=os.environ | environment, stdout=subprocess.DEVNULL, check=True)
