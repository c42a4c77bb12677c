"""A saved image is read as a container would see it."""

import io
import json
import tarfile
from pathlib import Path, PurePosixPath

from e2e.image.archive import Archive


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def saved(path: Path, *layers: dict[str, bytes]) -> Path:
    names = [f"{number}.tar" for number, _ in enumerate(layers)]
    manifest = [{"Config": "config.json", "Layers": names}]
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "config.json": json.dumps({"config": {"User": "65532"}}).encode(),
    }
    path.write_bytes(tar(files | {name: tar(layer) for name, layer in zip(names, layers, strict=True)}))
    return path


def test_file_removed_by_a_later_layer_counts(tmp_path: Path) -> None:
    first = {"usr/bin/pip": b"12", "usr/lib/pip/a.py": b"345", "usr/bin/python3": b"6"}
    second = {"usr/bin/.wh.pip": b"", "usr/lib/.wh.pip": b"", "opt/atmpl": b"7"}
    archive = Archive(saved(tmp_path / "image.tar", first, second))
    assert archive.files == {PurePosixPath("/usr/bin/python3"), PurePosixPath("/opt/atmpl")}
    assert archive.size == 7
    assert archive.config == {"User": "65532"}
