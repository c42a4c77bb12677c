"""What a target format is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Format:
    """A target format: where its templates live in a cluster, how one is put together, and what becomes of one."""

    name: str  # the word of `--format` and `atmpl.render`: `openshift`
    target: str  # its field of `spec.target`: `openshiftTemplate`
    api_version: str  # `template.openshift.io/v1`; also the word of the flat form's `format`
    kind: str  # `Template`
    plural: str  # `templates`
    content: tuple[str, ...]  # the top-level fields that a refresh replaces whole; metadata apart
    process: Callable[..., list[dict[str, Any]]]  # (template, values=None, *, random=None) -> objects, or ProcessError
    aliases: tuple[str, ...] = ()  # other apiVersions of the same kind that are processed alike
