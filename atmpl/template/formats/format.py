"""What a target format is, and what it gets to put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from atmpl.template.literal_parameters import Literals


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a template but its shape: what `Format.assemble` puts together. Each part is used once."""

    name: str
    namespace: str | None
    labels: dict[str, str]  # of the template itself
    annotations: dict[str, str]  # of the template itself
    vm: dict[str, Any]  # the templated VM; its labels are `${{LABELS}}`
    vm_labels: dict[str, str]  # the labels that the made VM gets
    parameters: list[dict[str, Any]]  # those of the leaves
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
        """Return all parameters in the design's order; `labels` is the last one."""
        suffix = [self.suffix] if self.suffix else []
        return [*self.parameters, *self.literals.parameters, *suffix, labels]


@dataclass(frozen=True, slots=True)
class Format:
    """A target format: where its templates live in a cluster, and how one is put together, and what becomes of one."""

    name: str  # the word of `--format` and `atmpl.render`: `openshift`
    target: str  # its field of `spec.target`: `openshiftTemplate`
    api_version: str  # `template.openshift.io/v1`; also the word of the flat form's `format`
    kind: str  # `Template`
    plural: str  # `templates`
    content: tuple[str, ...]  # the top-level fields that a refresh replaces whole; metadata apart
    assemble: Callable[[Draft], dict[str, Any]]
    process: Callable[..., list[dict[str, Any]]]  # (template, values=None, *, random=None) -> objects, or ProcessError
    parameters: Callable[[dict[str, Any]], list[dict[str, Any]]]  # those of a template of this format, as they stand
    forces: Mapping[str, str] = field(default_factory=dict)  # what the processor sets on every object, whatever it had
    aliases: tuple[str, ...] = ()  # other apiVersions of the same kind that are processed alike
