"""The public functions."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal

from atmpl.template.errors import ProcessError, RenderError
from atmpl.template.formats import FORMATS, Format
from atmpl.template.options import (
    Console,
    DataVolumes,
    Identity,
    Naming,
    Profile,
    RenderOptions,
    Secrets,
    TemplateMetadata,
)
from atmpl.template.render import RenderedTemplate
from atmpl.template.render import render as render_as
from atmpl.template.validation import is_text, json_type_name

FormatName = Literal["openshift", "native"]


def render(
    vm: dict[str, Any],
    *,
    format: FormatName = "openshift",
    name: str | None = None,
    namespace: str | None = None,
    identity: Identity = "Fresh",
    data_volumes: DataVolumes = "Preserve",
    secrets: Secrets = "Preserve",
    naming: Naming = "Generate",
    console: Console = "Listed",
    profile: Profile = "All",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    metadata: TemplateMetadata | None = None,
) -> RenderedTemplate:
    """Return the template of `vm`, its warnings, and what it leaves out of the VM.

    `vm` is a VirtualMachine as plain dicts and lists, and is not changed. `format` is `openshift` or `native`; `name`
    is the template's, by default `<vm>-template`; `namespace` is the template's, if it has one. The options are those
    of `spec.options` of a request, `metadata` is its `templateMetadata`.

    Raises RenderError, with a path, and no other error.
    """
    given: object = format  # a caller without a type checker can pass anything
    if not isinstance(given, str) or given not in FORMATS:
        raise RenderError("", f"format is {format!r:.60}; use {' or '.join(FORMATS)}")
    for field, value in (("name", name), ("namespace", namespace)):
        if value is not None and (type(value) is not str or not value or not is_text(value)):
            raise RenderError("", f"{field} is {value!a:.60}; pass the template's {field}")
    for field, patterns in (("include", include), ("exclude", exclude)):
        if not isinstance(patterns, list | tuple):
            raise RenderError("", f"{field} is not a list; pass a list of patterns")
    options = RenderOptions(
        identity=identity,
        data_volumes=data_volumes,
        secrets=secrets,
        naming=naming,
        console=console,
        profile=profile,
        include=tuple(include),
        exclude=tuple(exclude),
    )
    return render_as(
        vm,
        format=FORMATS[format],
        name=name or f"{_name(vm)}-template",
        namespace=namespace,
        options=options,
        metadata=metadata or TemplateMetadata(),
    )


def _name(vm: Any) -> str:
    """Return the VM's name if it has one. `render` reports a VM without a name."""
    metadata = vm.get("metadata") if isinstance(vm, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def process(
    template: dict[str, Any], values: Mapping[str, str] | None = None, *, random: Random | None = None
) -> list[dict[str, Any]]:
    """Return the objects that a cluster makes of `template`, with `values` for some of its parameters.

    The template's apiVersion and kind select the processor. `template` is not changed, and the result shares nothing
    with it. `random` supplies parameters with `generate: expression`; by default the system's randomness does.

    Raises ProcessError, and no other error.
    """
    if values is not None and not isinstance(values, Mapping):
        raise ProcessError(
            [f"values is not a mapping but {type(values).__name__}; pass the parameters' names and values"]
        )
    return _format(template).process(template, values, random=random)


def _format(template: Any) -> Format:
    if not isinstance(template, dict):
        raise ProcessError([f"a template is an object, not {json_type_name(template)}; {_known()}"])
    version, kind = template.get("apiVersion"), template.get("kind")
    for each in FORMATS.values():
        if kind == each.kind and (version == each.api_version or version in each.aliases):
            return each
    raise ProcessError([f"apiVersion is {_quoted(version)}, kind is {_quoted(kind)}; {_known()}"])


def _quoted(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value!r:.80}" if isinstance(value, str) else json_type_name(value)


def _known() -> str:
    return "known templates are " + ", ".join(
        f"{version} {each.kind}" for each in FORMATS.values() for version in (each.api_version, *each.aliases)
    )
