"""Parsing of the parameters that a template declares, in both formats."""

import pytest

from atmpl.template import ProcessError
from atmpl.template.parameters import Parameter, parameters

WHOLE = {
    "name": "SUFFIX",
    "displayName": "Suffix",
    "description": "what makes names unique",
    "value": "",
    "generate": "expression",
    "from": "[a-z0-9]{5}",
    "required": True,
    "unheardOf": {"a": 1},
}
READ = Parameter("SUFFIX", "Suffix", "what makes names unique", "", "expression", "[a-z0-9]{5}", required=True)


def test_openshift_parameters_are_read_in_order():
    assert parameters({"parameters": [WHOLE, {"name": "A", "value": "1"}]}) == [READ, Parameter("A", value="1")]


def test_native_parameters_are_read_in_order():
    assert parameters({"spec": {"parameters": [{"name": "A", "value": "1"}, WHOLE]}}) == [
        Parameter("A", value="1"),
        READ,
    ]


def test_null_is_the_empty_value():
    assert parameters({"parameters": [dict.fromkeys(WHOLE), None]}) == [Parameter(""), Parameter("")]


@pytest.mark.parametrize(
    "template", [{}, {"parameters": None}, {"spec": None}, {"spec": {}}, {"objects": [1]}], ids=str
)
def test_template_without_parameters_has_none(template):
    assert parameters(template) == []


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ({"parameters": [{"name": 1}]}, "parameters[0].name"),
        ({"spec": {"parameters": {}}}, "spec.parameters"),
        ({"parameters": [{"required": "true"}]}, "parameters[0].required"),
    ],
    ids=str,
)
def test_value_of_a_wrong_type_is_named_by_its_path(template, path):
    with pytest.raises(ProcessError) as caught:
        parameters(template)
    assert path in caught.value.errors[0]


@pytest.mark.parametrize("template", [None, [], "x", 1, {1: 2}], ids=str)
def test_invalid_template_is_rejected(template):
    with pytest.raises(ProcessError):
        parameters(template)
