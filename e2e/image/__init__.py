"""The image of the Dockerfile, and its tests: `just image`, `just test-image`.

engine.py builds and runs images with docker or podman, or otherwise buildah. bases.py makes base images if no registry
can be reached. pin.py pins the packages of the image.
"""

from e2e.image.engine import Engine, EngineError, find

__all__ = ["Engine", "EngineError", "find"]
