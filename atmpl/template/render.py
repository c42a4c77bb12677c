"""The design's rules, in the design's order."""

from typing import Any, NamedTuple

from atmpl.template.asked import Options, Owner
from atmpl.template.formats.format import Format


class RenderWarning(NamedTuple):
    """Something the template's users should know. `reason` is one of section 1's warning reasons."""

    reason: str
    message: str
    path: str


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
    options: Options = Options(),
    owner: Owner | None = None,
) -> Render:
    """Return the proved template of `vm`; `vm` is not changed. Raises RenderError, and nothing else."""
    raise NotImplementedError
