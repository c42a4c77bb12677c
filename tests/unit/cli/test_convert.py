"""`atmpl convert`: OpenShift templates to KubeVirt's, verified by processing both."""

import json

import pytest
import yaml

import atmpl
from tests.support.cli_runner import typed
from tests.support.shared_data import needs_shared
from tests.support.template_vms import a_vm, real_vms

TEMPLATE = {
    "apiVersion": "template.openshift.io/v1",
    "kind": "Template",
    "metadata": {"name": "web", "labels": {"team": "a"}, "annotations": {"iconClass": "icon-fedora"}, "uid": "1"},
    "message": "Open port ${PORT} of ${HOME}.",
    "labels": {"tier": "front"},
    "objects": [
        {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"name": "${NAME}", "labels": {"app": "web", "tier": "back"}},
            "spec": {"cores": "${{CORES}}", "script": "cd ${HOME}; echo ${NAME} ${HOME} $1", "whole": "${{NONE}}"},
        }
    ],
    "parameters": [
        {"name": "NAME", "generate": "expression", "from": "web-[a-z0-9]{5}"},
        {"name": "CORES", "displayName": "Cores", "description": "How many", "value": "2"},
        {"name": "PORT", "required": True},
    ],
}
VALUES = {"NAME": "web-1", "PORT": "443"}


def changed(**fields):
    return json.dumps(TEMPLATE | fields)


def with_vm(**fields):
    return {**TEMPLATE["objects"][0], **fields}


def test_converted_template_gives_the_same_vm():
    came = typed("convert", "-", stdin=changed())
    converted = yaml.safe_load(came.out)
    assert came.status == 0
    assert converted["metadata"] == {
        "name": "web", "labels": {"team": "a"}, "annotations": {"iconClass": "icon-fedora"}
    }  # fmt: skip
    assert atmpl.process(converted, VALUES) == atmpl.process(TEMPLATE, VALUES)
    assert converted["spec"]["virtualMachine"]["metadata"]["labels"] == {"app": "web", "tier": "front"}
    assert converted["spec"]["parameters"][:3] == TEMPLATE["parameters"]


def test_reference_without_a_parameter_becomes_a_literal():
    came = typed("convert", "-", stdin=changed())
    spec = yaml.safe_load(came.out)["spec"]
    assert {each["name"]: each["value"] for each in spec["parameters"][3:]} == {
        "LITERAL0": "${HOME}", "LITERAL1": "${{NONE}}"
    }  # fmt: skip
    assert spec["message"] == "Open port ${PORT} of ${LITERAL0}."
    assert came.err.count("warning: ") == 2
    assert "${HOME}" in came.err


def test_labels_parameter_gets_the_labels_of_the_template():
    rendered = typed(
        "render", "-", "-o", "json",
        stdin='{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a", "labels": {"x": "y"}},'
        '"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 2}}}}}}',
    )  # fmt: skip
    converted = yaml.safe_load(typed("convert", "-", stdin=rendered.out).out)
    [vm] = atmpl.process(converted)
    assert vm == atmpl.process(json.loads(rendered.out))[0]
    assert vm["metadata"]["labels"]["x"] == "y"


@pytest.mark.parametrize("words", [[], ["--console", "Complete"], ["--secrets", "Extract", "--data-volumes", "Unique"]])
def test_converted_template_does_not_differ_from_its_vm(words, tmp_path):
    labels, template = {"x": "y"}, tmp_path / "t.yaml"
    volumes = [{"name": "a", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: x\n"}}]
    vm = json.dumps(a_vm({"domain": {"cpu": {"cores": 2}}, "volumes": volumes}, labels=labels))
    template.write_text(typed("convert", "-", stdin=typed("render", "-", *words, stdin=vm).out).out)
    assert typed("diff", template, "-", stdin=vm) == (0, "", "")


def test_labels_with_references_replace_the_parameter():
    labels = [{"name": "LABELS", "value": '{"a": "b"}'}]
    came = typed("convert", "-", stdin=changed(
        labels={"tier": "${NAME}"}, objects=[with_vm(metadata={"labels": "${{LABELS}}"})],
        parameters=TEMPLATE["parameters"] + labels,
    ))  # fmt: skip
    converted = yaml.safe_load(came.out)
    assert atmpl.process(converted, VALUES)[0]["metadata"]["labels"] == {"a": "b", "tier": "web-1"}


@needs_shared
@pytest.mark.parametrize(
    "options", [{}, {"secrets": "Extract"}, {"console": "Complete", "data_volumes": "Unique"}], ids=str
)
def test_template_of_every_corpus_vm_is_converted(options):
    templates = [atmpl.render(vm, **options).template for vm in real_vms().values()]
    came = typed("convert", "-", "-o", "json", stdin=json.dumps(templates))
    assert (came.status, len(came.out.splitlines())) == (0, len(templates))


REJECTED = {
    "a Service beside the VM": changed(objects=[with_vm(), {"apiVersion": "v1", "kind": "Service"}]),
    "no VM": changed(objects=[]),
    "two VMs": changed(objects=[with_vm(), with_vm()]),
    "an integer that KubeVirt rounds": changed(objects=[with_vm(spec={"a": 2**53 + 1})]),
    "an unknown generator": changed(parameters=[{"name": "NAME", "generate": "uuid"}]),
    "an expression without brackets": changed(parameters=[{"name": "A", "generate": "expression", "from": "web"}]),
    "a parameter twice": changed(parameters=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
    "a field of no Template": changed(objectLabels={}),
    "a template of KubeVirt": json.dumps(
        {"apiVersion": "template.kubevirt.io/v1beta1", "kind": "VirtualMachineTemplate"}
    ),
    "a VM": json.dumps(with_vm()),
}


@pytest.mark.parametrize("case", REJECTED)
def test_template_that_cannot_be_converted_is_an_error(case):
    came = typed("convert", "-", stdin=REJECTED[case])
    assert (came.status, came.out) == (1, "")
    assert "error: standard input" in came.err


def test_each_template_of_a_file_is_converted():
    other = changed(metadata={"name": "other"})
    came = typed(
        "convert", "-", "-o", "json", stdin=f"[{changed()}, {other}, {REJECTED['two VMs']}, {json.dumps(with_vm())}]"
    )
    assert came.status == 1
    assert [json.loads(line)["metadata"]["name"] for line in came.out.splitlines()] == ["web", "other"]
    came = typed("convert", "-", "-o", "json", "--template", "other", stdin=f"[{changed()}, {other}]")
    assert (came.status, json.loads(came.out)["metadata"]["name"]) == (0, "other")


def test_name_that_no_template_has_gets_the_names_of_the_file():
    came = typed("convert", "-", "--template", "othr", stdin=f"[{changed()}, {changed(metadata={})}]")
    assert (came.status, came.out) == (1, "")
    assert came.err == "error: standard input: no Template is named othr; the file has: web, (without a name)\n"
