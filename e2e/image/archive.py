"""A saved image, in the format of `docker save`: its configuration and its files."""

import json
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

_WHITEOUT = ".wh."  # prefix of a file that a layer deletes


class Archive:
    """A saved image."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            manifest = json.loads(_read(archive, "manifest.json"))[0]
            self.config: dict[str, Any] = json.loads(_read(archive, manifest["Config"]))["config"]
            self.size = 0  # bytes, summed over the layers
            self.files: set[PurePosixPath] = set()  # absolute paths
            for layer in manifest["Layers"]:
                content = archive.extractfile(layer)
                assert content is not None
                with tarfile.open(fileobj=content) as files:
                    self._add(files)

    def _add(self, layer: tarfile.TarFile) -> None:
        for member in layer:
            path = PurePosixPath("/", member.name)
            if path.name.startswith(_WHITEOUT):
                gone = path.with_name(path.name.removeprefix(_WHITEOUT))
                self.files = {file for file in self.files if file != gone and gone not in file.parents}
            elif not member.isdir():
                self.files.add(path)
                self.size += member.size


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
