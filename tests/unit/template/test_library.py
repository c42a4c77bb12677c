"""The public functions raise only their documented errors."""

from types import MappingProxyType
from typing import Any, get_args

import pytest

import atmpl
from atmpl.api import FormatName
from atmpl.template import FORMATS
from atmpl.template.options import TemplateMetadata

HUGE = 10**5000  # no text can be made of it: Python refuses


def _deep() -> Any:
    found: Any = []
    for _ in range(100_000):
        found = [found]
    return found


VMS: dict[str, Any] = {
    "a name nested without end": {"metadata": {"name": _deep()}},
    "a name that is a huge number": {"metadata": {"name": HUGE}},
    "a key that is a huge number": {HUGE: 1},
    "such a key deeper down": {"metadata": {"name": "vm"}, "spec": {"template": {"spec": {HUGE: 1}}}},
}


@pytest.mark.parametrize("vm", VMS.values(), ids=VMS)
def test_invalid_vm_is_a_render_error(vm: Any) -> None:
    with pytest.raises(atmpl.RenderError):
        atmpl.render(vm)


TEMPLATES: dict[str, Any] = {
    "a version that is a huge number": {"apiVersion": HUGE, "kind": "Template"},
    "a kind nested without end": {"apiVersion": "v1", "kind": _deep()},
    "a huge number": HUGE,
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_invalid_template_is_a_process_error(template: Any) -> None:
    with pytest.raises(atmpl.ProcessError):
        atmpl.process(template)


def test_format_type_names_every_format() -> None:
    assert get_args(FormatName) == tuple(FORMATS)


def test_process_accepts_any_mapping() -> None:
    template = {"apiVersion": "v1", "kind": "Template", "objects": [{"kind": "${K}"}], "parameters": [{"name": "K"}]}
    assert atmpl.process(template, MappingProxyType({"K": "Pod"}))[0]["kind"] == "Pod"


@pytest.mark.parametrize("values", [[], "K=V", 1, {"K": 1}, {1: "V"}])
def test_process_of_wrong_values_is_a_process_error(values: Any) -> None:
    template = {"apiVersion": "v1", "kind": "Template", "parameters": [{"name": "K"}]}
    with pytest.raises(atmpl.ProcessError):
        atmpl.process(template, values)


@pytest.mark.parametrize("field", ["labels", "annotations"])
@pytest.mark.parametrize("value", ["\udcff", 1, None])
def test_wrong_metadata_is_a_render_error(field: str, value: Any) -> None:
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a"}}
    with pytest.raises(atmpl.RenderError, match=field[:-1]):
        atmpl.render(vm | {"spec": {"template": {"spec": {}}}}, metadata=TemplateMetadata(**{field: {"a": value}}))
