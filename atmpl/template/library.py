"""The two public functions."""

from random import Random
from typing import Any

from atmpl.template.errors import ProcessError
from atmpl.template.formats import FORMATS, Format
from atmpl.template.render import Render


def render(vm: dict[str, Any], *, format: str = "openshift", name: str | None = None) -> Render:
    """To come."""
    raise NotImplementedError


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
    identity = (template.get("apiVersion"), template.get("kind")) if isinstance(template, dict) else None
    known = [(version, each) for each in FORMATS.values() for version in (each.api_version, *each.aliases)]
    for version, each in known:
        if identity == (version, each.kind):
            return each
    names = ", ".join(f"{version} {each.kind}" for version, each in known)
    if identity is None:
        raise ProcessError([f"this is no template but {type(template).__name__}; known are {names}"])
    raise ProcessError(
        [f"apiVersion {identity[0]!r:.80}, kind {identity[1]!r:.80} is no known template; known are {names}"]
    )
