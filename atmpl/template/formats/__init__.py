"""The target formats: one module each, and this registry."""

from atmpl.template.formats import openshift
from atmpl.template.formats.format import Format

FORMATS: dict[str, Format] = {"openshift": openshift.FORMAT}  # key: the word of `--format` and `atmpl.render`

__all__ = ["FORMATS", "Format"]
