"""The two public functions."""

from random import Random
from typing import Any, Literal

from atmpl.template.errors import ProcessError, RenderError
from atmpl.template.formats import FORMATS, Format
from atmpl.template.options import RenderOptions
from atmpl.template.render import Render
from atmpl.template.render import render as render_as
from atmpl.template.validation import is_text


def render(
    vm: dict[str, Any],
    *,
    format: str = "openshift",
    name: str | None = None,
    identity: Literal["Fresh", "Preserve"] = "Fresh",
    data_volumes: Literal["Preserve", "Unique"] = "Preserve",
    secrets: Literal["Preserve", "Require"] = "Preserve",
) -> Render:
    """Return the template of `vm`, and what to know about it.

    `vm` is a VirtualMachine as plain dicts and lists, and is not changed; `format` is `openshift` or `native`; `name`
    is the template's, `<vm>-template` without one. Raises RenderError, with a path, and nothing else.
    """
    options = RenderOptions(identity, data_volumes, secrets)
    for field, (value, known) in {
        "format": (format, tuple(FORMATS)),
        "identity": (identity, ("Fresh", "Preserve")),
        "data_volumes": (data_volumes, ("Preserve", "Unique")),
        "secrets": (secrets, ("Preserve", "Require")),
    }.items():
        if value not in known:
            raise RenderError("", f"{field} is {value!r}; give {' or '.join(known)}")
    if name is not None and (type(name) is not str or not name or not is_text(name)):
        raise RenderError("", f"name is {name!a:.60}; give the template's name")
    return render_as(vm, format=FORMATS[format], name=name or f"{_name(vm)}-template", options=options)


def _name(vm: Any) -> str:
    """Return the VM's name as far as it has one; `render` says what is wrong with a VM that has none."""
    metadata = vm.get("metadata") if isinstance(vm, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def process(
    template: dict[str, Any], values: dict[str, str] | None = None, *, random: Random | None = None
) -> list[dict[str, Any]]:
    """Return the objects that a cluster makes of `template`, given `values` for some of its parameters.

    The template's apiVersion and kind say whose processor answers. `template` is not changed, and nothing in the result
    is part of it. `random` gives what parameters with `generate: expression` need; without it, the system's randomness
    does.
    Raises ProcessError, and nothing else.
    """
    return _format(template).process(template, values, random=random)


def _format(template: Any) -> Format:
    if not isinstance(template, dict):
        raise ProcessError([f"this is no template but {type(template).__name__}; {_known()}"])
    version, kind = template.get("apiVersion"), template.get("kind")
    for each in FORMATS.values():
        if kind == each.kind and (version == each.api_version or version in each.aliases):
            return each
    raise ProcessError([f"apiVersion {_shown(version)}, kind {_shown(kind)} is no known template; {_known()}"])


def _shown(value: Any) -> str:
    return f"{value!r:.80}" if isinstance(value, str | None) else f"of type {type(value).__name__}"


def _known() -> str:
    return "known are " + ", ".join(
        f"{version} {each.kind}" for each in FORMATS.values() for version in (each.api_version, *each.aliases)
    )
