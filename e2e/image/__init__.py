"""The image of the Dockerfile, built with what this machine has, and the tests of it: `just image`, `just test-image`.

engine.py is what can build and run an image (docker, podman, or buildah where neither is), bases.py makes what a
Dockerfile stands on where no registry of images can be asked, pin.py pins what is installed.
"""

from e2e.image.engine import Engine, EngineError, find

__all__ = ["Engine", "EngineError", "find"]
