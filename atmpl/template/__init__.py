"""A VM becomes a template, and back: the design's section 2. Pure: no await, no clock, no environment, no logging."""

from atmpl.template.asked import Options, Owner
from atmpl.template.errors import ProcessError, RenderError
from atmpl.template.formats import FORMATS, Format
from atmpl.template.render import Render, render
from atmpl.template.warnings import RenderWarning

__all__ = ["FORMATS", "Format", "Options", "Owner", "ProcessError", "Render", "RenderError", "RenderWarning", "render"]
