"""atmpl turns a KubeVirt virtual machine into a template."""

from atmpl.template import ProcessError, Render, RenderError, RenderWarning
from atmpl.template.library import process, render
from atmpl.version import __version__

__all__ = ["ProcessError", "Render", "RenderError", "RenderWarning", "__version__", "process", "render"]
