"""The Dockerfile's two bases, made of Debian's packages by debootstrap, where no registry of images can be asked.

They are what `python:3-slim` is: a small Debian with Python. The second one is the first and pip.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.controlplane.build import say

SUITE = "trixie"  # its Python is the one that the Dockerfile's own bases have


@dataclass(frozen=True)
class Base:
    """A base by its tag, and what it has beyond Python."""

    tag: str
    packages: tuple[str, ...]


# build argument of the Dockerfile: what it is where nothing else is said
BASES = {
    "RUN_BASE": Base(f"localhost/atmpl-run-base:{SUITE}", ()),
    "BUILD_BASE": Base(f"localhost/atmpl-build-base:{SUITE}", ("python3-pip", "python3-venv")),
}

# what a container never reads, as Debian's own slim images leave it out
_CHAFF = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")


@contextmanager
def folders(wanted: Sequence[Base]) -> Iterator[list[Path]]:
    """Make a build folder, of a Dockerfile and a file system, for each base; they go with the context. Takes minutes.

    Raises subprocess.CalledProcessError.
    """
    say(f"making {', '.join(base.tag for base in wanted)} of Debian {SUITE}: once, some 2 minutes")
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
    for chaff in _CHAFF:
        shutil.rmtree(root / chaff)
        (root / chaff).mkdir()
    _run("tar", "--create", "--numeric-owner", "--file", folder / "root.tar", "--directory", root, ".")
    shutil.rmtree(root)
    (folder / "Dockerfile").write_text("FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin\n")
    return folder


def _run(*command: str | Path) -> None:
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    subprocess.run(command, env=os.environ | environment, stdout=subprocess.DEVNULL, check=True)
