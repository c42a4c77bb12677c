"""What a target format is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A target format: where its templates live in a cluster, and how one is put together."""

    name: str  # the word of `--format` and `atmpl.render`: `openshift`
    target: str  # its field of `spec.target`: `openshiftTemplate`
    api_version: str  # `template.openshift.io/v1`; also the word of the flat form's `format`
    kind: str  # `Template`
    plural: str  # `templates`
    content: tuple[str, ...]  # the top-level fields that a refresh replaces whole; metadata apart
