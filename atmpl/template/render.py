"""The design's rules, in the design's order."""

from collections.abc import Callable
from typing import Any, NamedTuple

from atmpl.template import data_volumes, template_metadata
from atmpl.template.console_escape import protect
from atmpl.template.errors import RenderError
from atmpl.template.formats.format import Draft, Format
from atmpl.template.json_path import SPEC, Path, dotted
from atmpl.template.leaves import part
from atmpl.template.literal_parameters import Literals
from atmpl.template.options import RenderOptions, TemplateOwner
from atmpl.template.parameter_names import assign
from atmpl.template.references import form
from atmpl.template.render_warnings import (
    INLINE_SECRET,
    LITERAL_NUMBER,
    SHARED_DATA_VOLUMES,
    RenderWarning,
    shown,
    warning,
)
from atmpl.template.round_trip import verify_round_trip
from atmpl.template.rules import IDENTITY, REVISIONS, SECRETS, TREATED, shape
from atmpl.template.source_vm import Source, read
from atmpl.template.validation import refuse


class Render(NamedTuple):
    """A template (plain dicts, keys in conventional order) and what to know about it."""

    template: dict[str, Any]
    warnings: tuple[RenderWarning, ...]


def render(
    vm: dict[str, Any],
    *,
    format: Format,
    name: str,
    namespace: str | None = None,
    options: RenderOptions = RenderOptions(),
    owner: TemplateOwner | None = None,
) -> Render:
    """Return the proved template of `vm`; `vm` is not changed. Raises RenderError, and nothing else."""
    try:
        return _render(vm, format=format, name=name, namespace=namespace, options=options, owner=owner)
    except RecursionError as error:  # within the limits of input, but a deep caller left too little of the stack
        raise RenderError("", "is nested too deep for what is left of the stack; call from less deep") from error


def _render(
    vm: dict[str, Any],
    *,
    format: Format,
    name: str,
    namespace: str | None,
    options: RenderOptions,
    owner: TemplateOwner | None,
) -> Render:
    refuse(vm)
    source = read(vm)
    writer = _TemplateBuilder(source, options)
    draft = Draft(
        name=name,
        namespace=namespace,
        labels=template_metadata.labels(source, owner),
        annotations=template_metadata.annotations(source, name, owner),
        vm=writer.vm(),
        vm_labels=source.labels,
        parameters=writer.parameters,
        literals=writer.literals,
        suffix=dict(data_volumes.SUFFIX) if writer.unique else None,
        message=shown(writer.warnings),
    )
    template = format.assemble(draft)
    protect(template, format.parameters(template))
    verify_round_trip(template, format, source, options, writer.withheld)
    return Render(template, tuple(writer.warnings))


class _TemplateBuilder:
    """Writes the templated VM, and collects what it needs beside it."""

    def __init__(self, source: Source, options: RenderOptions) -> None:
        self.source = source
        self.options = options
        self.unique = data_volumes.names(source.spec) if options.data_volumes == "Unique" else frozenset[str]()
        self.blank = IDENTITY if options.identity == "Fresh" else {}
        self.literals = Literals()
        self.parameters: list[dict[str, Any]] = []
        self.withheld: dict[str, str] = {}  # what the proof supplies: the VM's own values of required parameters
        self.warnings: list[RenderWarning] = []

    def vm(self) -> dict[str, Any]:
        """Return the templated VM. Rules 5, 6 and 10: of its metadata only these three; no status."""
        source = self.source
        metadata: dict[str, Any] = {
            "generateName": self.literals.value(f"{source.name}-"),
            "labels": "${{LABELS}}",
        }
        if annotations := source.annotations:
            metadata["annotations"] = self.literals.copy(annotations, ("metadata", "annotations"))
        return {
            "apiVersion": source.api_version,
            "kind": "VirtualMachine",
            "metadata": metadata,
            "spec": self._copy(
                source.spec,
                ("spec",),
                {
                    "template": self._template,
                    data_volumes.FIELD: self._data_volumes,
                    **{field: self._without_revision for field, _ in REVISIONS},
                },
            ),
        }

    def _copy(self, source: dict[str, Any], path: Path, special: dict[str, Callable[[Any, Path], Any]]) -> Any:
        """Return a literal copy of `source`, but for the fields that `special` writes. Rules 4 and 11."""
        return {
            self.literals.key(key, source): special.get(key, self.literals.copy)(value, (*path, key))
            for key, value in source.items()
        }

    def _template(self, template: dict[str, Any], path: Path) -> Any:
        return self._copy(template, path, {"spec": self._instance})

    def _instance(self, instance: dict[str, Any], _path: Path) -> dict[str, Any]:
        """Return the templated VirtualMachineInstanceSpec. Rules 1, 2, 3, 8 and 9."""
        copy, leaves = part(instance, self.literals, self.unique)
        names = assign([leaf[0] for leaf in leaves])
        for (path, value, container, key), (name, display, description, plain, whole, _) in zip(
            leaves, names, strict=True
        ):
            sent = form(value)
            treated = shape(path) if path[-1] in TREATED else None
            if treated in self.blank:  # rule 8; the form is that of the VM's own value
                sent = (True if sent is None else sent[0]), ""
            if sent is None:
                container[key] = value
                self.warnings.append(warning(LITERAL_NUMBER, dotted(SPEC + path)))
                continue
            decoded, text = sent
            container[key] = whole if decoded else plain
            parameter = {"name": name, "displayName": display, "description": description, "value": text}
            self.parameters.append(parameter)
            if text and treated in SECRETS:  # an empty one holds no secret, and nobody could supply it
                self._secret(path, parameter)
        return copy

    def _secret(self, path: Path, parameter: dict[str, Any]) -> None:
        """Rule 9."""
        if self.options.secrets == "Require":
            self.withheld[parameter["name"]] = parameter.pop("value")
            parameter["required"] = True
        else:
            self.warnings.append(warning(INLINE_SECRET, dotted(SPEC + path)))

    def _data_volumes(self, templates: Any, path: Path) -> Any:
        """Return the dataVolumeTemplates. Rule 7."""
        copy = self.literals.copy(templates, path)
        if self.unique:
            data_volumes.append_suffix(copy)
        elif templates and self.options.data_volumes == "Preserve":
            self.warnings.append(warning(SHARED_DATA_VOLUMES, dotted(path)))
        return copy

    def _without_revision(self, matcher: Any, path: Path) -> Any:
        """Return an instancetype or preference. Rule 8."""
        copy = self.literals.copy(matcher, path)
        if isinstance(copy, dict):
            for field, key in REVISIONS:
                if field == path[-1]:
                    copy.pop(key, None)
        return copy
