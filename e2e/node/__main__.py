"""Makes a place for a node and runs a command inside, the node's tests where none is named: `just node`."""

import os
import subprocess
import sys
from pathlib import Path

from e2e import image
from e2e.controlplane.build import BuildError
from e2e.image.build import build
from e2e.node import programs
from e2e.node.conditions import why_not
from e2e.node.place import Place

TESTS = Path(__file__).parent


def main() -> int:
    """Run pytest on the node's tests, with our arguments; return its exit status, 0 where no node can run here."""
    try:
        if reason := why_not():
            print(f"skipped: {reason}")
            return 0
        engine = image.find()
        programs.find()  # inside, there is no network to fetch them by
        tag = build(engine)
        with Place() as place:
            engine.save(tag, place.folder / "atmpl.tar")
            pytest = [sys.executable, "-m", "pytest", str(TESTS), *sys.argv[1:]]
            return place.run([sys.executable, "-m", "e2e.node.inside", *pytest], os.environ)
    except image.EngineError as error:
        print(f"skipped: {error}")
        return 0
    except (BuildError, subprocess.CalledProcessError) as error:
        print(f"{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
