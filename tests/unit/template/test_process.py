"""Properties of `process` for any JSON."""

import json
from copy import deepcopy
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atmpl
from atmpl.template import FORMATS, ProcessError

WORDS = st.sampled_from(
    ("${A}", "${{A}}", "${B}", "${{B}}", "${X}", "${", "}", "$", "a", "null", "{}", "[]", "1e400", "é", "\ud800", "\0")
)
TEXTS = st.lists(WORDS, max_size=4).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.sampled_from(("kind", "items")), inner, max_size=4)
    ),
    max_leaves=12,
)
PARAMETERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("A", "B", "C D", ""))},
        optional={
            "value": TEXTS,
            "generate": st.just("expression"),
            "from": st.sampled_from(("[a-z]{5}", "[\\A]{3}", "x", "[a]{1}")),
            "required": st.booleans(),
        },
    ),
    max_size=3,
)
OBJECTS = st.fixed_dictionaries({"apiVersion": TEXTS, "kind": TEXTS, "metadata": JSON, "spec": JSON})


@st.composite
def templates(draw):
    """Templates of either format with anything in them, a few of its fields replaced by anything else."""
    format = draw(st.sampled_from(list(FORMATS.values())))
    template = {"apiVersion": format.api_version, "kind": format.kind, "metadata": {"name": "t"}}
    if format.name == "native":
        fields = {"virtualMachine": draw(OBJECTS), "parameters": draw(PARAMETERS), "message": draw(TEXTS)}
        template["spec"] = fields
    else:
        fields = template
        template |= {"objects": draw(st.lists(OBJECTS, max_size=2)), "parameters": draw(PARAMETERS)}
        template |= {"labels": draw(st.dictionaries(TEXTS, TEXTS, max_size=2)), "message": draw(TEXTS)}
    for name in draw(st.lists(st.sampled_from([*fields, "spec"]), max_size=1)):
        fields[name] = draw(JSON)
    return template


def outcome(template, values=None, seed=1):
    try:
        return atmpl.process(template, values, random=Random(seed))
    except ProcessError as error:
        errors = error.errors
    assert errors
    assert all(type(text) is str for text in errors)
    return errors


@given(JSON)
def test_any_json_gives_only_a_process_error(tree):
    outcome(tree)


@given(templates(), st.dictionaries(st.sampled_from(("A", "B", "X")), TEXTS, max_size=2))
def test_any_template_gives_json_or_a_process_error(template, values):
    made = outcome(template, values)
    json.dumps(made, allow_nan=False).encode()
    assert "\ud800" not in str(made)


@given(templates(), st.integers(0, 9))
def test_same_template_and_seed_give_the_same_objects(template, seed):
    assert repr(outcome(template, seed=seed)) == repr(outcome(template, seed=seed))


@given(templates())
def test_template_is_neither_changed_nor_shared(template):
    before = deepcopy(template)
    made = outcome(template)
    _spoil(made)
    assert repr(template) == repr(before)


def _spoil(value):
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _spoil(item)
    value.clear()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("ab{}/é"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab{}"), inner),
    )
)
def test_object_without_references_comes_back_unchanged(tree):
    for format in FORMATS.values():
        vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "spec": tree}
        template = {
            "apiVersion": format.api_version,
            "kind": format.kind,
            "objects": [vm],
            "spec": {"virtualMachine": vm},
        }
        assert atmpl.process(template) == [vm]


@given(st.text(), st.sampled_from(("${P}", "a${P}b", "${P}${P}", "${{P}}")))
def test_value_is_not_substituted_again(value, reference):
    replaced = value.encode("utf-8", "replace").decode()
    for format in FORMATS.values():
        vm = {"kind": "VirtualMachine", "v": reference}
        parameters = [{"name": "P", "value": f"#{value}"}, {"name": "Q", "value": "no"}]
        template = {
            "apiVersion": format.api_version,
            "kind": format.kind,
            "objects": [vm],
            "parameters": parameters,
            "spec": {"virtualMachine": vm, "parameters": parameters},
        }
        expected = reference.replace("${{P}}", "${P}").split("${P}")
        assert atmpl.process(template)[0]["v"] == f"#{replaced}".join(expected)


@pytest.mark.parametrize("name", FORMATS)
def test_template_of_maximum_depth_is_processed(name):
    format = FORMATS[name]
    vm = {"kind": "VirtualMachine", "v": []}
    inner = vm["v"]
    for _ in range(9990):
        inner.append([])
        inner = inner[0]
    inner.append("${P}")
    template = {"apiVersion": format.api_version, "kind": format.kind}
    template |= {"objects": [vm], "parameters": [{"name": "P", "value": "x"}]}
    template |= {"spec": {"virtualMachine": vm, "parameters": template["parameters"]}}
    made = atmpl.process(template)[0]["v"]
    for _ in range(9990):
        (made,) = made
    assert made == ["x"]
    for _ in range(10):
        inner.append([])
        inner = inner[-1]
    with pytest.raises(ProcessError, match="exceeded max depth"):
        atmpl.process(template)


@pytest.mark.parametrize("name", FORMATS)
def test_100_000_references_are_processed(name):
    format = FORMATS[name]
    vm = {"kind": "VirtualMachine", "v": "${P}" * 100_000, **{f"k{n}${{P}}": "${X}" for n in range(20_000)}}
    parameters = [{"name": "P", "value": "x"}, {"name": "X"}]
    template = {"apiVersion": format.api_version, "kind": format.kind, "objects": [vm], "parameters": parameters}
    template |= {"spec": {"virtualMachine": vm, "parameters": parameters}}
    (made,) = atmpl.process(template)
    assert made["v"] == "x" * 100_000
    assert made["k19999x"] == ""


ALIASES = ("v1", "Template"), ("template.kubevirt.io/v1alpha1", "VirtualMachineTemplate")


@pytest.mark.parametrize(("version", "kind"), ALIASES)
def test_older_api_version_is_processed_in_the_same_way(version, kind):
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine"}
    template = {"apiVersion": version, "kind": kind, "objects": [vm], "spec": {"virtualMachine": vm}}
    assert atmpl.process(template) == [vm]


@pytest.mark.parametrize(
    "template", [{}, {"apiVersion": "v1", "kind": "Pod"}, [], None, {"apiVersion": [], "kind": {}}], ids=str
)
def test_invalid_template_error_names_the_known_kinds(template):
    with pytest.raises(ProcessError) as caught:
        atmpl.process(template)
    assert "template.openshift.io/v1 Template" in caught.value.errors[0]
    assert "template.kubevirt.io/v1beta1 VirtualMachineTemplate" in caught.value.errors[0]
