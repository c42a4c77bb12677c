"""Turn a KubeVirt VM into a template.

`render` makes a template from a VM. `process` makes the objects of a template, as a cluster does. Both take and return
plain dicts, do no I/O, and raise only `RenderError` and `ProcessError`. README.md beside this file has the architecture
and the rules of a template.
"""

from atmpl.api import process, render
from atmpl.template import Omitted, ProcessError, RenderedTemplate, RenderError, RenderWarning, TemplateMetadata
from atmpl.version import __version__

__all__ = [
    "Omitted",
    "ProcessError",
    "RenderError",
    "RenderWarning",
    "RenderedTemplate",
    "TemplateMetadata",
    "__version__",
    "process",
    "render",
]
