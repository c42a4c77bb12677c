"""What builds and runs images here: docker or podman where they work, else buildah, which needs no daemon."""

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.controlplane.programs import caches
from e2e.image import bases

NEEDED = "docker or podman, or as root Debian's packages buildah and debootstrap"


class EngineError(Exception):
    """There is nothing here that builds images, or it failed; the message says which."""


class Engine(ABC):
    """Builds, runs and saves images. Its methods block and raise EngineError with what was said."""

    def __init__(self, *command: str) -> None:
        self._command = command

    @abstractmethod
    def build(self, folder: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """Build a folder's Dockerfile, with its build arguments, and tag the result. Shows what it does."""

    @abstractmethod
    def run(self, tag: str, *command: str, user: str = "") -> str:
        """Run a command in a new container and return its output; `user` (UID:GID) overrides the image's."""

    @abstractmethod
    def save(self, tag: str, path: Path) -> None:
        """Write the image as an archive that `docker load` and `ctr images import` read."""

    def call(self, *arguments: str | Path, quiet: bool = True) -> str:
        """Run the program itself; return its standard output where that is not shown."""
        done = subprocess.run([*self._command, *arguments], capture_output=quiet, text=True, check=False)
        if done.returncode:
            said = f": {done.stderr.strip()}" if quiet else ""
            raise EngineError(f"{self._command[0]} {arguments[0]} failed{said}")
        return done.stdout or ""


class Docker(Engine):
    """Docker, and podman, which is driven by the same words."""

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
    """Buildah with images of its own, over bases made here of Debian's packages."""

    def __init__(self) -> None:
        """Keep the images in the cache, apart from the person's; vfs and chroot work in a container too."""
        os.environ["BUILDAH_ISOLATION"] = "chroot"
        place = caches() / "image"
        super().__init__(
            "buildah", "--storage-driver=vfs", f"--root={place / 'storage'}", f"--runroot={place / 'running'}"
        )

    def build(self, folder: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """See Engine. The machine's certificates stand in for the base's, as a network may have its own."""
        self._make_bases()
        own = {argument: base.tag for argument, base in bases.BASES.items()}
        certificates = "--volume=/etc/ssl/certs:/etc/ssl/certs:ro"
        flags = (certificates, "--tag", f"localhost/{tag}", *_arguments(own | dict(arguments)))
        self.call("build", *flags, folder, quiet=False)  # with --layers, vfs would copy the whole base at every step
        self.call("rmi", "--prune")  # the image that had the tag before

    def run(self, tag: str, *command: str, user: str = "") -> str:
        """See Engine."""
        container = self.call("from", "--pull-never", f"localhost/{tag}").strip()
        try:
            return self.call("run", *([f"--user={user}"] if user else []), container, "--", *command)
        finally:
            self.call("rm", container)

    def save(self, tag: str, path: Path) -> None:
        """See Engine."""
        path.unlink(missing_ok=True)  # buildah adds to an archive, and refuses where the image is in it
        self.call("push", f"localhost/{tag}", f"docker-archive:{path}:docker.io/library/{tag}")

    def _make_bases(self) -> None:
        there = self.call("images", "--format", "{{.Name}}:{{.Tag}}").split()
        missing = [base for base in bases.BASES.values() if base.tag not in there]
        if missing:
            with bases.folders(missing) as folders:
                for base, folder in zip(missing, folders, strict=True):
                    self.call("build", "--tag", base.tag, folder)


def find() -> Engine:
    """Return what builds images here. Raises EngineError where nothing does."""
    for program in ("docker", "podman"):
        if shutil.which(program) and not subprocess.run([program, "info"], capture_output=True, check=False).returncode:
            return Docker(program)
    if os.geteuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap"):
        return Buildah()
    raise EngineError(f"nothing here builds images: it takes {NEEDED}")


def _arguments(arguments: Mapping[str, str]) -> Sequence[str]:
    return [f"--build-arg={name}={value}" for name, value in arguments.items()]
