"""The target formats: one module each, and this registry."""

from atmpl.template.formats import native, openshift
from atmpl.template.formats.format import Format

FORMATS: dict[str, Format] = {  # key: the value of `--format` and of `atmpl.render`
    "openshift": openshift.FORMAT,
    "native": native.FORMAT,
}

__all__ = ["FORMATS", "Format"]
