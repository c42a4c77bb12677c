"""The two public functions."""

from typing import Any

from atmpl.template.render import Render


def render(vm: dict[str, Any], *, format: str = "openshift", name: str | None = None) -> Render:
    """To come."""
    raise NotImplementedError


def process(template: dict[str, Any], values: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """To come."""
    raise NotImplementedError
