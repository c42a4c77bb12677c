"""The registry of formats, and the templates that both assemble."""

import pytest

import atmpl
from atmpl.template import FORMATS, Format, ProcessError, RenderError
from atmpl.template.formats import openshift
from tests.support.template_vms import a_vm

VM = a_vm({"hostname": "db", "x": {"name": "${A}"}}, labels={"a": "b"})


def the_toy(**changes):
    """A third format: this is all it takes."""

    def assemble(draft):
        labels = {"name": "LABELS", "value": "{}"}
        return {
            "apiVersion": "toy/v1",
            "kind": "Toy",
            "labels": draft.vm_labels,
            "vm": draft.vm,
            "with": draft.all_parameters(labels),
        }

    def process(toy, values=None, *, random=None):
        template = {"objects": [toy["vm"]], "parameters": toy["with"], "labels": toy["labels"]}
        return openshift.process(template, values, random=random)

    fields = {
        "name": "toy",
        "target": "toy",
        "api_version": "toy/v1",
        "kind": "Toy",
        "plural": "toys",
        "content": ("vm", "with", "labels"),
        "assemble": assemble,
        "process": process,
        "parameters": lambda toy: toy["with"],
    }
    return Format(**(fields | changes))


def test_third_format_is_one_module_and_one_line(monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", the_toy())
    rendered = atmpl.render(VM, format="toy")
    template, warnings = rendered.template, rendered.warnings
    assert warnings == ()
    assert template["vm"]["spec"]["template"]["spec"] == {"hostname": "${HOSTNAME}", "x": {"name": "${{LITERAL0}}"}}
    (made,) = atmpl.process(template, {"HOSTNAME": "web"})
    assert made["spec"]["template"]["spec"] == {"hostname": "web", "x": {"name": "${A}"}}


def test_third_format_is_verified(monkeypatch):
    def process(toy, values=None, *, random=None):
        raise ProcessError(["out of toys"])

    monkeypatch.setitem(FORMATS, "toy", the_toy(process=process))
    with pytest.raises(RenderError, match="its Toy cannot be processed"):
        atmpl.render(VM, format="toy")


def test_formats_are_those_of_the_design():
    assert {
        name: (each.name, each.target, each.api_version, each.kind, each.plural, each.content)
        for name, each in FORMATS.items()
    } == {
        "openshift": (
            "openshift",
            "openshiftTemplate",
            "template.openshift.io/v1",
            "Template",
            "templates",
            ("objects", "parameters", "labels", "message"),
        ),
        "native": (
            "native",
            "virtualMachineTemplate",
            "template.kubevirt.io/v1beta1",
            "VirtualMachineTemplate",
            "virtualmachinetemplates",
            ("spec",),
        ),
    }


def test_openshift_template_has_conventional_key_order():
    vm = a_vm({"hostname": "db"}, spec={"dataVolumeTemplates": [{"metadata": {"name": "d"}}]}, annotations={"a": "b"})
    template = atmpl.render(vm).template
    assert list(template) == ["apiVersion", "kind", "metadata", "message", "labels", "objects", "parameters"]
    assert list(template["metadata"]) == ["name", "labels", "annotations"]
    assert list(template["objects"][0]) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(template["objects"][0]["metadata"]) == ["generateName", "labels", "annotations"]
    assert list(template["parameters"][0]) == ["name", "displayName", "description", "value"]


def test_native_labels_default_to_those_of_the_vm():
    template = atmpl.render(VM, format="native").template
    assert list(template) == ["apiVersion", "kind", "metadata", "spec"]
    assert template["spec"]["virtualMachine"]["metadata"] == {"generateName": "vm-", "labels": "${{LABELS}}"}
    names = [each["name"] for each in template["spec"]["parameters"]]
    assert names == ["HOSTNAME", "LITERAL0", "LABELS"]
    assert template["spec"]["parameters"][-1]["value"] == '{"a":"b"}'


@pytest.mark.parametrize("format", FORMATS)
def test_labels_describe_valid_and_other_values(format):
    labels = FORMATS[format].parameters(atmpl.render(VM, format=format).template)[-1]
    assert "JSON object of strings" in labels["description"]
    assert "rejects" in labels["description"]
