"""What has changed between a template and its virtual machine: the machines that both would give, as texts to compare.

The template is processed with its defaults. The virtual machine is made a template as it is now, in the same way as the
template was made, and that is processed too: so what belongs to one machine only (rules 5 to 10 of the design) is the
same on both sides, and what a person has changed in the template's defaults shows as well.
"""

from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

import atmpl
from atmpl.cli.yaml import write
from atmpl.template import FORMATS
from atmpl.template.parameters import Parameter, parameters
from atmpl.template.rules import IDENTITY


class NoMachineError(Exception):
    """A template that gives no virtual machine, or several."""


def texts(vm: dict[str, Any], template: dict[str, Any]) -> tuple[str, str]:
    """Return the YAML of the virtual machine that `template` gives, and of the one that a template of `vm` would.

    Keys are sorted: a cluster does not keep their order. Raises RenderError of `vm`; ProcessError and NoMachineError of
    `template`.
    """
    before = _made(template)
    after = _made(atmpl.render(vm, **_like(template, before)).template)
    return write(_sorted(before)), write(_sorted(after))


def lines(before: str, after: str, names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff, without their ends; none where there is no difference."""
    return unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")


def _made(template: dict[str, Any]) -> dict[str, Any]:
    """Return the virtual machine that a template gives; what it has no value for is shown as a reference to it."""
    blanks = {each.name: f"${{{each.name}}}" for each in parameters(template) if _is_open(each)}
    machines = [each for each in atmpl.process(template, blanks) if each.get("kind") == "VirtualMachine"]
    if len(machines) != 1:
        raise NoMachineError(f"it gives {len(machines) or 'no'} virtual machines; give a template of one")
    return machines[0]


def _is_open(parameter: Parameter) -> bool:
    return not parameter.value and bool(parameter.generate or parameter.required)


def _like(template: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return how `template`, which gives the machine `made`, was rendered: it does not say so, but it shows."""
    declared = parameters(template)
    metadata = template.get("metadata") or {}
    return {
        "format": next(name for name, format in FORMATS.items() if format.kind == template["kind"]),
        "name": metadata.get("name"),
        "identity": "Preserve" if any(_values(made, shape) for shape in IDENTITY) else "Fresh",
        "data_volumes": "Unique" if any(each.name == "SUFFIX" and _is_open(each) for each in declared) else "Preserve",
        "secrets": "Require" if any(each.required and _is_open(each) for each in declared) else "Preserve",
    }


def _values(made: dict[str, Any], shape: tuple[Any, ...]) -> list[Any]:
    """Return what stands at a shape of `atmpl.template.rules`, as far as it is not empty."""
    found: list[Any] = [made]
    for key in ("spec", "template", "spec", *shape):
        if isinstance(key, str):
            found = [each[key] for each in found if isinstance(each, dict) and key in each]
        else:
            found = [item for each in found if isinstance(each, list) for item in each]
    return [each for each in found if each]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
