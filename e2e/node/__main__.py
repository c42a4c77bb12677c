"""Creates a sandbox for a node, and runs the tests of the node in it: `just node`."""

import os
import subprocess
import sys
from pathlib import Path

from e2e import image
from e2e.envtest.build import BuildError
from e2e.image.build import build
from e2e.node import programs
from e2e.node.requirements import unmet_requirement
from e2e.node.sandbox import Sandbox

TESTS = Path(__file__).parent


def main() -> int:
    """Run pytest with our arguments; return its exit status, or 0 if no node can run on this machine."""
    try:
        if reason := unmet_requirement():
            print(f"skipped: {reason}")
            return 0
        engine = image.find()
        programs.find()  # the sandbox has no network for downloads
        tag = build(engine)
        with Sandbox() as sandbox:
            engine.save(tag, sandbox.folder / "atmpl.tar")
            pytest = [sys.executable, "-m", "pytest", str(TESTS), *sys.argv[1:]]
            return sandbox.run([sys.executable, "-m", "e2e.node.sandbox_init", *pytest], os.environ)
    except image.EngineError as error:
        print(f"skipped: {error}")
        return 0
    except (BuildError, subprocess.CalledProcessError) as error:
        print(f"{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
