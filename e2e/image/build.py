"""The image of this checkout."""

import subprocess
from pathlib import Path

from atmpl.version import __version__
from e2e.image.engine import Engine

ROOT = Path(__file__).parents[2]
TAG = f"atmpl:{__version__}"  # as in config/manager


def build(engine: Engine) -> str:
    """Build the image of this checkout, and return its tag. Raises EngineError."""
    engine.build(ROOT, TAG, {"VERSION": __version__, "REVISION": _revision()})
    return TAG


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
