"""Render a template from a VM, by the rules of atmpl/README.md."""

from dataclasses import dataclass
from typing import Any, Final

from atmpl.template import template_metadata
from atmpl.template.builder import TemplateBuilder
from atmpl.template.console_escape import TextReferenceError, escape_for_console
from atmpl.template.errors import MAX_STORED_BYTES, RenderError, TemplateTooLargeError
from atmpl.template.formats.format import Draft, Format
from atmpl.template.omissions import Omitted
from atmpl.template.options import RenderOptions, TemplateMetadata, TemplateOwner
from atmpl.template.render_warnings import RenderWarning, find_warnings, template_message
from atmpl.template.round_trip import verify_round_trip
from atmpl.template.source_vm import SourceVM, parse_vm
from atmpl.template.stored_size import is_larger_than
from atmpl.template.text_secrets import SecretParameter
from atmpl.template.validation import validate

_NO_METADATA: Final = TemplateMetadata()


@dataclass(frozen=True, slots=True)
class RenderedTemplate:
    """A template (plain dicts, keys in conventional order), its warnings, and what it leaves out of the VM.

    `secrets` are the parameters that stand for secrets of the VM.
    """

    template: dict[str, Any]
    warnings: tuple[RenderWarning, ...]
    omitted: tuple[Omitted, ...] = ()
    secrets: tuple[SecretParameter, ...] = ()


def render(
    vm: dict[str, Any],
    *,
    format: Format,
    name: str,
    namespace: str | None = None,
    options: RenderOptions = RenderOptions(),
    metadata: TemplateMetadata = _NO_METADATA,
    owner: TemplateOwner | None = None,
    api_version: str | None = None,
) -> RenderedTemplate:
    """Return the verified template of `vm`. `vm` is not changed.

    `namespace` is the template's, and the request's; `api_version` is one that the cluster serves, by default the
    format's own. Raises RenderError, and TemplateTooLargeError as soon as the template exceeds MAX_STORED_BYTES.
    """
    if problem := options.error() or template_metadata.metadata_error(metadata):
        raise RenderError("", problem)
    if options.console == "Complete" and not format.has_console:
        raise RenderError("", "console: Complete requires the OpenShift format; use console: Listed or that format")
    if api_version not in (None, format.api_version, *format.aliases):
        known = " or ".join((format.api_version, *format.aliases))
        raise RenderError("", f"the apiVersion of the template is not known; use {known}")
    try:
        validate(vm)
        return _Rendering(parse_vm(vm), format, name, namespace, options, metadata, owner, api_version).result()
    except RecursionError as error:  # within the limits of input, but the caller has left too little of the stack
        raise RenderError("", "is nested too deeply for the rest of the stack; call from a shallower stack") from error


@dataclass(frozen=True, slots=True)
class _Rendering:
    """The inputs of one rendering."""

    source: SourceVM
    format: Format
    name: str
    namespace: str | None
    options: RenderOptions
    metadata: TemplateMetadata
    owner: TemplateOwner | None
    api_version: str | None

    def result(self) -> RenderedTemplate:
        try:
            return self._render(extract=True)
        # The console would break a text with references, so each secret text becomes one required parameter.
        except TextReferenceError:
            return self._render(extract=False)

    def _render(self, *, extract: bool) -> RenderedTemplate:
        source, options, format = self.source, self.options, self.format
        builder = TemplateBuilder(source, options, extract=extract)
        vm = builder.vm()
        warnings = find_warnings(source, options, self.namespace, builder)
        draft = Draft(
            api_version=self.api_version or format.api_version,
            name=self.name,
            namespace=self.namespace,
            labels=template_metadata.labels(source, options, self.metadata, self.owner),
            annotations=template_metadata.annotations(source, self.name, options, self.metadata, self.owner),
            vm=vm,
            vm_labels=builder.labels,
            labels_parameter=options.console != "Complete",
            parameters=builder.parameters,
            literals=builder.literals,
            suffix=builder.suffix,
            message=template_message(warnings, builder.secrets),
        )
        template = format.assemble(draft)
        escape_for_console(template, format.parameters(template), builder.literals.inside_text)
        if is_larger_than(template, MAX_STORED_BYTES):
            raise TemplateTooLargeError
        verify_round_trip(template, format, source, options, builder.required_values)
        return RenderedTemplate(template, tuple(warnings), tuple(builder.omitted), tuple(builder.secrets))
