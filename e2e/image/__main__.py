"""Builds the image: `python -m e2e.image`, or `just image`."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e.envtest.build import print_progress
from e2e.image.archive import Archive
from e2e.image.build import build
from e2e.image.engine import EngineError, find


def main() -> None:
    """Build the image with the options of the arguments."""
    parser = argparse.ArgumentParser(prog="just image", description="Build the image of this checkout.")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write an archive for `docker load`")
    arguments = parser.parse_args()
    try:
        engine = find()
        tag = build(engine)
        with tempfile.TemporaryDirectory(prefix="atmpl-image-") as scratch:
            path = arguments.output or Path(scratch) / "image.tar"
            engine.save(tag, path)
            size = Archive(path).size
    except (EngineError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")
    print_progress(f"built {tag}, {size / 1e6:.0f} MB" + (f", and {arguments.output}" if arguments.output else ""))


if __name__ == "__main__":
    main()
