"""No part of an input is lost silently: it is an error or a warning, and the message names the part."""

import json

import pytest
import yaml

from tests.support.cli_runner import typed
from tests.unit.cli.test_render import VM

TEMPLATE = {
    "apiVersion": "template.openshift.io/v1",
    "kind": "Template",
    "metadata": {"name": "t"},
    "labels": {"tier": "web"},
    "objects": [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"labels": "${{LABELS}}"}}],
    "parameters": [{"name": "A", "value": "1"}, {"name": "LABELS", "value": "{}"}],
}
NATIVE = {
    "apiVersion": "template.kubevirt.io/v1beta1",
    "kind": "VirtualMachineTemplate",
    "spec": {"virtualMachine": {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine"}},
}


def changed(original, **fields):
    return json.dumps(original | fields)


UNKNOWN = {  # a template: the path that the message begins with
    "a misspelled field": (changed(TEMPLATE, label={}), "label"),
    "a field of a parameter": (
        changed(TEMPLATE, parameters=[{"name": "LABELS", "valeu": "{}"}]),
        "parameters[0].valeu",
    ),
    "a field of the metadata": (changed(TEMPLATE, metadata={"name": "t", "label": {}}), "metadata.label"),
    "a field beside spec": (changed(NATIVE, parameters=[]), "parameters"),
    "a field of spec": (changed(NATIVE, spec=NATIVE["spec"] | {"objects": []}), "spec.objects"),
    "a field of a parameter in spec": (
        changed(NATIVE, spec=NATIVE["spec"] | {"parameters": [{"name": "A", "default": "b"}]}),
        "spec.parameters[0].default",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_field_of_a_template_is_a_warning(case):
    template, path = UNKNOWN[case]
    came = typed("process", "-", stdin=template)
    assert came.status == 0
    assert came.err.startswith(f"warning: standard input: {path}: not a known field")


@pytest.mark.parametrize("case", [case for case in UNKNOWN if json.loads(UNKNOWN[case][0])["kind"] == "Template"])
def test_unknown_field_is_not_converted(case):
    template, path = UNKNOWN[case]
    came = typed("convert", "-", stdin=template)
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith(f"error: standard input: {path}: not a known field")


@pytest.mark.parametrize("template", [TEMPLATE, NATIVE], ids=["openshift", "native"])
def test_all_metadata_of_a_cluster_is_known(template):
    metadata = {
        "name": "t", "generateName": "t-", "namespace": "n", "selfLink": "/", "uid": "u", "resourceVersion": "1",
        "generation": 1, "creationTimestamp": None, "deletionTimestamp": None, "deletionGracePeriodSeconds": 1, "labels": {},
        "annotations": {}, "ownerReferences": [], "finalizers": [], "managedFields": [],
    }  # fmt: skip
    assert typed("process", "-", stdin=changed(template, metadata=metadata)).err == ""


@pytest.mark.parametrize(
    ("original", "path"),
    [
        ("metadata: {name: web, label: {a: b}}", "metadata.label"),
        ("metadata: {name: web}\nspec: {dataVolumeTemplates: [{metadata: {name: a, lables: {}}}]}", "spec.dataVolumeTemplates[0].metadata.lables"),
    ],
)  # fmt: skip
def test_unknown_metadata_of_a_vm_is_a_warning(original, path):
    vm = yaml.safe_load(VM.format(name="web"))
    given = yaml.safe_load(original)
    vm = vm | given | {"spec": vm["spec"] | given.get("spec", {})}
    came = typed("render", "-", stdin=json.dumps(vm))
    assert came.status == 0
    assert f"warning: standard input: {path}: not a known field" in came.err


def test_field_beside_the_items_of_a_list_is_an_error():
    vm = json.loads(json.dumps(yaml.safe_load(VM.format(name="web"))))
    came = typed("render", "-", stdin=json.dumps({"kind": "List", "items": [vm], "runStrategy": "Halted"}))
    assert came.status == 1
    assert came.err.startswith("error: standard input (List): runStrategy: not a field of a list")
    assert "web-template" in came.out  # the items are rendered all the same


def test_value_that_is_given_twice_is_wrong_usage():
    came = typed("process", "-", "-p", "A=1", "-p", "A=2", stdin=json.dumps(TEMPLATE))
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith("error: -p A is given 2 times")


@pytest.mark.parametrize("option", ["--label", "--annotation"])
def test_key_that_is_given_twice_is_wrong_usage(option):
    came = typed("render", "-", option, "a=1", option, "a=2", stdin=VM.format(name="web"))
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith(f"error: {option} a is given 2 times")


def test_name_twice_in_a_params_file_is_an_error(tmp_path):
    (tmp_path / "template").write_text(json.dumps(TEMPLATE))
    came = typed("process", tmp_path / "template", "--params-file", "-", stdin="A=1\n\nA=2\n")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: standard input, line 3: A has a value already (standard input, line 1)")


def test_parameter_that_is_declared_twice_is_a_warning():
    parameters = [*TEMPLATE["parameters"], {"name": "A", "value": "2"}]
    came = typed("process", "-", stdin=changed(TEMPLATE, parameters=parameters))
    assert came.status == 0
    assert came.err.startswith("warning: standard input: the parameter A is declared 2 times")


def test_label_that_is_given_twice_is_a_warning():
    came = typed("process", "-", "-p", 'LABELS={"a": "1", "a": "2"}', stdin=json.dumps(TEMPLATE))
    assert came.status == 0
    assert "warning: standard input: the parameter LABELS: the label a is given more than once" in came.err


def test_template_without_objects_is_a_warning():
    came = typed("process", "-", stdin=changed(TEMPLATE, objects=[]))
    assert (came.status, came.out) == (0, "")
    assert came.err.startswith("warning: standard input: the template has no objects")


@pytest.mark.parametrize("kind", ["kind: []", "kind:", "a: b"])
def test_object_without_a_kind_is_not_ignored_by_diff(kind, tmp_path):
    (tmp_path / "vm").write_text(VM.format(name="web"))
    template = typed("render", tmp_path / "vm").out
    came = typed("diff", tmp_path / "vm", "-", stdin=f"{kind}\n---\n{template}")
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith("error: standard input, document 1: this is an object without a kind")


@pytest.mark.parametrize("words", [["--format", "native"], ["--vm-namespace", "a"]])
def test_option_about_the_cluster_is_not_ignored_by_diff(words, tmp_path):
    came = typed("diff", tmp_path / "t", tmp_path / "vm", *words)
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith("error: name two files")


WRONG_TYPES = {
    "apiVersion": (
        changed(TEMPLATE, apiVersion={}),
        "apiVersion is an object, kind is 'Template'; known templates are ",
    ),
    "no apiVersion": (changed(TEMPLATE, apiVersion=None), "apiVersion is missing, kind is 'Template'; "),
    "a label": (changed(TEMPLATE, labels={"a": "b", "x/y": 1}), "labels[x/y] is a number, not a string; "),
    "an annotation": (
        changed(TEMPLATE, metadata={"annotations": {"a": None, "b": True}}),
        "metadata.annotations.b is a boolean, not a string; ",
    ),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_type_is_named_in_words_of_json(case):
    template, message = WRONG_TYPES[case]
    came = typed("process", "-", stdin=template)
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith(f"error: standard input: {message}")
