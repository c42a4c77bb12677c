"""KubeVirt's engine, compared with recorded answers of the real one."""

import json
import re
from decimal import Decimal

import pytest

from atmpl.template.errors import ProcessError
from atmpl.template.formats.native import process, processed, unreferenced
from tests.support.shared_data import SHARED, needs_shared

TYPED = "failed to convert unstructured object to VirtualMachine"  # what Go's types rejected; ours does not know them


def _vectors():
    with (SHARED / "native-vectors-random.jsonl").open("rb") as lines:
        for line in lines:
            case = json.loads(line)
            yield case["template"], case["result"]


def _agrees(template, result):
    if sorted(unreferenced(template)) != sorted(result["warnings"]):
        return False
    undefined = sorted(error for error in result["errors"] if "references undefined parameter" in error)
    rejected = undefined or any("error processing template" in error for error in result["errors"])
    try:
        ours = processed(template)
    except ProcessError as error:
        return bool(rejected) and sorted(error.errors) == undefined
    if result["vm"] is None:
        return not rejected and all(TYPED in error for error in result["errors"])
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine"} | result["vm"]
    return ours.message == result["message"] and _typed_equal(ours.objects[0], vm)


def _typed_equal(ours, real, field=""):
    """Whether `real` is what Go's types keep of `ours`: zero values come and go, a quantity can be written in another form."""
    if isinstance(ours, dict) and isinstance(real, dict):
        names = (ours.keys() | real.keys()) - {"unheardOf"}
        return all(_typed_equal(ours.get(name), real.get(name), name) for name in names)
    if isinstance(ours, list) and isinstance(real, list):
        return len(ours) == len(real) and all(map(_typed_equal, ours, real))
    if _zero(ours) and _zero(real):
        return True
    if field == "guest":
        return _bytes(ours) == _bytes(real)
    return type(ours) is type(real) and ours == real


def _zero(value):
    if isinstance(value, dict):
        return all(map(_zero, value.values()))
    return not value


def _bytes(quantity):
    number, unit = re.fullmatch(r"([0-9.]+)(\w*)", str(quantity)).groups()
    return Decimal(number) * {"": 1, "G": 10**9, "M": 10**6, "Gi": 2**30, "Mi": 2**20, "m": Decimal("0.001")}[unit]


@needs_shared
def test_recorded_answers_of_the_engine():
    vectors = list(_vectors())
    wrong = [f"{json.dumps(template)} -> {result}" for template, result in vectors if not _agrees(template, result)]
    assert len(vectors) == 500
    assert not wrong, f"{len(wrong)} of {len(vectors)} differ:\n" + "\n".join(wrong[:3])


def template(vm=None, *, parameters=(), **fields):
    return {
        "apiVersion": "template.kubevirt.io/v1beta1",
        "kind": "VirtualMachineTemplate",
        "spec": {"virtualMachine": vm, "parameters": [dict(parameter) for parameter in parameters], **fields},
    }


def errors(of, values=None):
    with pytest.raises(ProcessError) as caught:
        process(of, values)
    return caught.value.errors


P = {"name": "P", "value": "5"}
NULL = {"name": "NULL", "value": "null"}


def test_api_version_and_kind_are_forced():
    assert process(template({"kind": "Pod", "v": "${{P}}"}, parameters=[P])) == [
        {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "v": 5}
    ]


def test_literal_number_is_a_float64():
    (made,) = process(template({"exact": 2**53, "rounded": 2**53 + 1, "one": 1.0}))
    assert (made["exact"], made["rounded"], made["one"]) == (2**53, 2**53, 1)


def test_namespace_stays_only_with_a_reference():
    for namespace, made in {"ns": {}, "${P}": {"namespace": "5"}, "${{P}}": {}, 1: {"namespace": 1}}.items():
        (vm,) = process(template({"metadata": {"namespace": namespace}}, parameters=[P]))
        assert vm["metadata"] == made


def test_name_that_no_reference_can_hold_is_valid():
    (made,) = process(template({"v": "${a b}", "w": "${{P}}"}, parameters=[{"name": "a b", "value": "x"}, P]))
    assert (made["v"], made["w"]) == ("${a b}", 5)


def test_message_is_substituted_as_text():
    assert processed(template({}, parameters=[P], message="${P}${P}")).message == "55"
    assert processed(template({}, parameters=[P], message="${{P}}")).message == "5"


def test_empty_supplied_value_is_generated():
    generated = {"name": "G", "value": "x", "generate": "expression", "from": "[a-a]{3}"}
    (made,) = process(template({"v": "${G}"}, parameters=[generated]), {"G": ""})
    assert made["v"] == "aaa"


def test_lone_surrogate_in_a_supplied_value_is_replaced():
    (made,) = process(template({"v": "${P}"}, parameters=[P]), {"P": "a\udcff"})
    assert made["v"] == "a\ufffd"


def test_all_errors_are_reported_together():
    wrong = template(
        parameters=[
            {"name": "A", "required": True},
            {"name": "B", "generate": "dice"},
            {"name": "C", "generate": "expression"},
            {"name": "D", "generate": "expression", "from": "[-]{3}"},
            {"value": "1"},
            P,
            P,
        ]
    )
    assert errors(wrong, {"P": 1, "X": "1"}) == [
        "spec.parameters[0].value: Required value: parameter 'A' is required and a value must be specified",
        "spec.parameters[1].generate: Invalid value: \"dice\": unknown generator name 'dice' for parameter 'B'",
        (
            'spec.parameters[2].from: Invalid value: "": '
            "from cannot be empty for parameter 'C' using generator 'expression'"
        ),
        'spec.parameters[3].from: Invalid value: "[-]{3}": malformed ranges syntax: -',
        'spec.parameters[4].name: Invalid value: "": parameter name is empty',
        "the value of parameter P must be a string, not int",
        'spec.parameters[6].name: Duplicate value: "P"',
        "the value of parameter P must be a string, not int",
        "parameter X not found in template",
        "spec.virtualMachine: Invalid value: null: virtualMachine is required and cannot be empty",
    ]


UNDEFINED = 'Invalid value: "X": references undefined parameter X'
REJECTED = {  # what is rejected: (VM, message, the engine's words)
    "an undefined reference": ({"a": "${X}"}, "", f"spec.virtualMachine: {UNDEFINED}"),
    "an undefined reference in double braces": ({"a": ["${{X}}"]}, "", f"spec.virtualMachine: {UNDEFINED}"),
    "an undefined reference in a key": ({"${P}${X}": 1}, "", f"spec.virtualMachine: {UNDEFINED}"),
    "an undefined reference among many": ({"a": "${P}" * 9 + "${X}"}, "", f"spec.virtualMachine: {UNDEFINED}"),
    "an undefined reference in the message": ({}, "${X}", f"spec.message: {UNDEFINED}"),
    "an undefined reference that is the message": ({}, "${{X}}", f"spec.message: {UNDEFINED}"),
    "null for a field": (
        {"a": "${{NULL}}"},
        "",
        "spec.parameters: error processing template: ${{NULL}}: cannot assign nil value to target type interface {}",
    ),
    "null in a list": (
        {"a": ["${{NULL}}"]},
        "",
        "spec.parameters: error processing template: ${{NULL}}: cannot assign nil value to target type interface {}",
    ),
    "null for a key": (
        {"${{NULL}}": 1},
        "",
        "spec.parameters: error processing template: ${{NULL}}: cannot assign nil value to target type string",
    ),
    "a number for a key": (
        {"${{P}}": 1},
        "",
        (
            "spec.parameters: error processing template: ${{P}}: "
            "substituted value type float64 is not assignable to target type string"
        ),
    ),
    "a VM that is not an object": (
        [1],
        "",
        (
            "spec.virtualMachine.raw: Invalid value: [1]: error decoding virtualMachine: "
            "json: cannot unmarshal array into Go value of type map[string]interface {}"
        ),
    ),
}


@pytest.mark.parametrize("phrase", REJECTED)
def test_rejection_has_the_words_of_the_engine(phrase):
    vm, message, words = REJECTED[phrase]
    assert errors(template(vm, parameters=[P, NULL], message=message)) == [words]


def test_unreferenced_parameter_is_a_warning():
    parameters = [{"name": name} for name in ("A", "B", "C", "D")]
    vm = {"${A}": ["${{B}}"]}
    assert unreferenced(template(vm, parameters=parameters, message="${C}")) == [
        "spec.parameters[3].name: D is defined but never referenced"
    ]
