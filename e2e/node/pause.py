"""The pause image of pods: one static program of the project, so no image is downloaded."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from e2e.node.settings import PAUSE

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # Go's names by the kernel's


def write(program: Path, architecture: str, path: Path) -> None:
    """Write the image in the format of `docker save`."""
    layer = _tar({"pause": (program.read_bytes(), 0o755)})
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    path.write_bytes(_tar({name: (content, 0o644) for name, content in files.items()}))


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
