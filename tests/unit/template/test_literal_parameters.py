"""Literal text that looks like a reference comes back unchanged."""

import pytest

import atmpl
from atmpl.template import FORMATS, TemplateTooLargeError
from atmpl.template.errors import MAX_STORED_BYTES
from atmpl.template.literal_parameters import Literals
from tests.support.template_vms import a_vm


@pytest.fixture(params=list(FORMATS))
def format(request):
    return request.param


def literals(template):
    parameters = template["parameters"] if "parameters" in template else template["spec"]["parameters"]
    return {each["name"]: each["value"] for each in parameters if each["name"].startswith("LITERAL")}


def object_of(template):
    return template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]


def test_literal_text_with_a_reference_has_a_parameter(format):
    vm = a_vm(
        {"volumes": [{"name": "${A}", "x": "${NAME}"}], "nodeSelector": {"${B}": "y"}},
        spec={"dataVolumeTemplates": [{"metadata": {"name": "disk"}, "spec": {"url": "http://${HOST}/x"}}]},
        annotations={"note": 'a "${C}"', "plain": "$C", "json": '["${D}"]'},
    )
    template = atmpl.render(vm, format=format).template
    assert literals(template) == {
        "LITERAL0": 'a "${C}"',
        "LITERAL1": '"[\\"${D}\\"]"',
        "LITERAL2": "http://${HOST}/x",
        "LITERAL3": "${A}",
        "LITERAL4": "${B}",
    }
    templated = object_of(template)
    assert templated["metadata"]["annotations"] == {
        "note": "${{LITERAL0}}",
        "plain": "$C",
        "json": "${{LITERAL1}}",
    }
    assert templated["spec"]["dataVolumeTemplates"][0]["spec"] == {"url": "${{LITERAL2}}"}
    assert templated["spec"]["template"]["spec"] == {
        "volumes": [{"name": "${{LITERAL3}}", "x": "${VOLUME0_X}"}],
        "nodeSelector": {"${LITERAL4}": "${NODE_SELECTOR___B_}"},
    }
    (made,) = atmpl.process(template)
    assert made["spec"] == vm["spec"]
    assert made["metadata"]["annotations"] == vm["metadata"]["annotations"]


@pytest.mark.parametrize("text", ["${LABELS}", "${{LABELS}}", "${LITERAL0}", "${{LITERAL0}}", "${A}", "${SUFFIX}"])
def test_reference_in_literal_text_comes_back_anywhere(text, format):
    vm = a_vm(
        {"a": text, "b": [text, {"name": text}], text: {text: text, "name": text}},
        spec={text: text, "list": [text], "dataVolumeTemplates": [{"metadata": {"name": "d"}, text: text}]},
        annotations={text: text, "x": text + text},
        name=text,
    )
    (made,) = atmpl.process(atmpl.render(vm, format=format, name="t").template)
    assert made["spec"] == vm["spec"]
    assert made["metadata"]["annotations"] == vm["metadata"]["annotations"]
    assert made["metadata"]["generateName"] == text + "-"


def test_keys_that_are_references_do_not_collide(format):
    """A processor replaces one key after another, in any order: no reference may be another key, even for a while."""
    vm = a_vm({"x": {"${LITERAL1}": 1, "${B}": 2, "${LITERAL0}": 3, "${{LITERAL3}}": 4, '${C}"': 5}})
    template = atmpl.render(vm, format=format).template
    keys = object_of(template)["spec"]["template"]["spec"]["x"].keys()
    assert not keys & vm["spec"]["template"]["spec"]["x"].keys()
    (made,) = atmpl.process(template)
    assert made["spec"] == vm["spec"]


def test_key_that_breaks_the_console_is_typed(format):
    template = atmpl.render(a_vm({"x": {'${A}"': 1}}), format=format).template
    assert object_of(template)["spec"]["template"]["spec"] == {"x": {"${{LITERAL0}}": "${{X___A__}}"}}


def test_labels_with_references_come_back(format):
    vm = a_vm({}, labels={"a": "${B}", "${C}": "d", "e": '["${F}"]'})
    (made,) = atmpl.process(atmpl.render(vm, format=format).template)
    made["metadata"]["labels"].pop("vm.kubevirt.io/template", None)
    assert made["metadata"]["labels"] == vm["metadata"]["labels"]


def test_literal_text_changes_no_name(format):
    plain = atmpl.render(a_vm({"x": {"name": "a", "y": "b"}}), format=format).template
    literal = atmpl.render(a_vm({"x": {"name": "${X_Y}", "y": "b"}}), format=format).template
    assert object_of(plain)["spec"]["template"]["spec"]["x"]["y"] == "${X_Y}"
    assert object_of(literal)["spec"]["template"]["spec"]["x"]["y"] == "${X_Y}"


def test_parameter_of_literal_text_is_complete():
    literals = Literals()
    assert literals.value("${A}") == "${{LITERAL0}}"
    (parameter,) = literals.parameters
    assert "reference" in parameter.pop("description")
    assert parameter == {"name": "LITERAL0", "displayName": "Literal 0", "value": "${A}"}


def test_text_without_a_complete_reference_is_not_carried():
    literals = Literals()
    assert literals.value("a ${ b") == "a ${ b"
    assert literals.parameters == []


def test_key_is_not_a_typed_reference_beside_it():
    assert Literals().key("${B}", {"${{LITERAL0}}": 1, "${B}": 2}) == "${LITERAL1}"


def test_restore_forgets_the_parameters_since_save():
    literals = Literals()
    literals.inside("${A}")
    state = literals.save()
    literals.inside("${B}")
    literals.value("${C}")
    literals.restore(state)
    assert [each["value"] for each in literals.parameters] == ["${A}"]
    assert (literals.inside_text, literals.size) == ({"LITERAL0"}, 4)
    assert literals.inside("${B}") == "${LITERAL1}"


SIZES = {  # a literal value: the bytes that the limit counts
    "an object": ({"a": 1, "b": "text"}, 2 * 5 + 4),
    "a list": ([None, "text", "more"], 3 * 2 + 8),
    "a reference": (["${A}"], 2 + 4 + 4),
}


@pytest.mark.parametrize("phrase", SIZES)
def test_literal_values_count_for_the_size_limit(phrase):
    value, size = SIZES[phrase]
    literals = Literals()
    literals.copy(value, ())
    assert literals.size == size


def test_size_limit_is_exact():
    literals = Literals()
    literals.grow(MAX_STORED_BYTES)
    with pytest.raises(TemplateTooLargeError):
        literals.grow(1)


def test_values_of_all_containers_count():
    literals = Literals()
    literals.copy([[0] * 4_999, [0] * 4_999], ())
    assert literals.values == 10_000
    with pytest.raises(atmpl.RenderError, match="10,000 values"):
        literals.copy([0], ())


@pytest.mark.parametrize("wrap", [lambda inner: {"k": inner}, lambda inner: [inner]], ids=["objects", "lists"])
def test_literal_values_have_200_levels_at_most(wrap):
    value = wrap(0)
    for _ in range(199):
        value = wrap(value)
    assert Literals().copy(value, ()) == value
    with pytest.raises(atmpl.RenderError, match="200 levels"):
        Literals().copy(wrap(value), ())
    with pytest.raises(atmpl.RenderError, match="200 levels"):
        Literals().copy(value, ("spec",))
