"""The definition of a target format, and the parts that it assembles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from atmpl.template.literal_parameters import Literals


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of a template that `Format.assemble` puts together. Each part is used once."""

    api_version: str  # of the template
    name: str
    namespace: str | None
    labels: dict[str, str]  # of the template itself
    annotations: dict[str, str]  # of the template itself
    vm: dict[str, Any]  # the templated VM
    vm_labels: dict[str, str]  # the labels of a new VM
    labels_parameter: bool  # whether the VM's labels are `${{LABELS}}`; otherwise they are in `vm`
    parameters: list[dict[str, Any]]  # those of NAME and of the leaves
    literals: Literals
    suffix: dict[str, Any] | None
    message: str | None

    def metadata(self) -> dict[str, Any]:
        """Return the template's metadata."""
        metadata: dict[str, Any] = {"name": self.name}
        if self.namespace:
            metadata["namespace"] = self.namespace
        return metadata | {"labels": self.labels, "annotations": self.annotations}

    def all_parameters(self, labels: dict[str, Any]) -> list[dict[str, Any]]:
        """Return all parameters in their order. `labels` is the last one, if there is one."""
        suffix = [self.suffix] if self.suffix else []
        last = [labels] if self.labels_parameter else []
        return [*self.parameters, *self.literals.parameters, *suffix, *last]


@dataclass(frozen=True, slots=True)
class Format:
    """A target format: its API, and the functions that assemble and process its templates."""

    name: str  # the value of `--format` and of `atmpl.render`: `openshift`
    target: str  # its field of `spec.target`: `openshiftTemplate`
    api_version: str  # `template.openshift.io/v1`; also the value of the short form's `format`
    kind: str  # `Template`
    plural: str  # `templates`
    content: tuple[str, ...]  # the top-level fields that a refresh replaces; not metadata
    assemble: Callable[[Draft], dict[str, Any]]
    process: Callable[..., list[dict[str, Any]]]  # (template, values=None, *, random=None) -> objects; ProcessError
    parameters: Callable[[dict[str, Any]], list[dict[str, Any]]]  # of a template of this format
    forced_fields: Mapping[str, str] = field(default_factory=dict)  # that the processor sets on each object
    aliases: tuple[str, ...] = ()  # other apiVersions of the same kind that are processed in the same way
    has_console: bool = False  # whether the OpenShift console shows these templates
