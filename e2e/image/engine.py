"""Builds and runs images with docker or podman, or otherwise with buildah, which needs no daemon."""

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.envtest.programs import caches
from e2e.image import bases

NEEDED = "docker or podman, or (as root) Debian's packages buildah and debootstrap"


class EngineError(Exception):
    """No engine is available, or it failed; the message has the reason."""


class Engine(ABC):
    """Builds, runs and saves images. The methods block, and raise EngineError with the engine's output."""

    def __init__(self, *command: str) -> None:
        self._command = command

    @abstractmethod
    def build(self, folder: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """Build and tag the Dockerfile of a folder with these build arguments. Prints the progress."""

    @abstractmethod
    def run(self, tag: str, *command: str, user: str = "") -> str:
        """Run a command in a new container and return its output; `user` (UID:GID) overrides the image's."""

    @abstractmethod
    def save(self, tag: str, path: Path) -> None:
        """Write the image as an archive for `docker load` and `ctr images import`."""

    def call(self, *arguments: str | Path, quiet: bool = True) -> str:
        """Run the engine; if `quiet`, return its standard output instead of printing it."""
        done = subprocess.run([*self._command, *arguments], capture_output=quiet, text=True, check=False)
        if done.returncode:
            output = f": {done.stderr.strip()}" if quiet else ""
            raise EngineError(f"{self._command[0]} {arguments[0]} failed{output}")
        return done.stdout or ""


class Docker(Engine):
    """Docker, or podman, which has the same command line."""

    def build(self, folder: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """See Engine."""
        self.call("build", "--tag", tag, *_arguments(arguments), folder, quiet=False)

    def run(self, tag: str, *command: str, user: str = "") -> str:
        """See Engine."""
        flags = ("--rm", "--read-only", "--network=none", *([f"--user={user}"] if user else []))
        return self.call("run", *flags, "--entrypoint", command[0], tag, *command[1:])

    def save(self, tag: str, path: Path) -> None:
        """See Engine."""
        self.call("save", "--output", path, tag)


class Buildah(Engine):
    """Buildah, with its own storage, and bases made from Debian's packages."""

    def __init__(self) -> None:
        """Store the images in the cache, not among the user's; vfs and chroot work in a container too."""
        os.environ["BUILDAH_ISOLATION"] = "chroot"
        place = caches() / "image"
        super().__init__(
            "buildah", "--storage-driver=vfs", f"--root={place / 'storage'}", f"--runroot={place / 'running'}"
        )

    def build(self, folder: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """See Engine. The build uses the machine's certificates, because a network can have a private CA."""
        self._make_bases()
        own = {argument: base.tag for argument, base in bases.BASES.items()}
        certificates = "--volume=/etc/ssl/certs:/etc/ssl/certs:ro"
        flags = (certificates, "--tag", f"localhost/{tag}", *_arguments(own | dict(arguments)))
        self.call("build", *flags, folder, quiet=False)  # without --layers: vfs would copy the whole base at every step
        self.call("rmi", "--prune")  # the previous image of this tag

    def run(self, tag: str, *command: str, user: str = "") -> str:
        """See Engine."""
        container = self.call("from", "--pull-never", f"localhost/{tag}").strip()
        try:
            return self.call("run", *([f"--user={user}"] if user else []), container, "--", *command)
        finally:
            self.call("rm", container)

    def save(self, tag: str, path: Path) -> None:
        """See Engine."""
        path.unlink(missing_ok=True)  # buildah appends to an archive, and fails if it contains the image
        self.call("push", f"localhost/{tag}", f"docker-archive:{path}:docker.io/library/{tag}")

    def _make_bases(self) -> None:
        there = self.call("images", "--format", "{{.Name}}:{{.Tag}}").split()
        missing = [base for base in bases.BASES.values() if base.tag not in there]
        if missing:
            with bases.folders(missing) as folders:
                for base, folder in zip(missing, folders, strict=True):
                    self.call("build", "--tag", base.tag, folder)


def find() -> Engine:
    """Return the engine of this machine. Raises EngineError if it has none."""
    for program in ("docker", "podman"):
        if shutil.which(program) and not subprocess.run([program, "info"], capture_output=True, check=False).returncode:
            return Docker(program)
    if os.geteuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap"):
        return Buildah()
    raise EngineError(f"no engine to build images: install {NEEDED}")


def _arguments(arguments: Mapping[str, str]) -> Sequence[str]:
    return [f"--build-arg={name}={value}" for name, value in arguments.items()]
