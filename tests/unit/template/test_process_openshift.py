"""OpenShift's processor, compared with recorded answers of the real one."""

import json

import pytest

from atmpl.template.errors import ProcessError
from atmpl.template.formats.openshift import process, processed
from tests.support.shared_data import SHARED, needs_shared


def template(spec=None, *, objects=None, parameters=(), **fields):
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "objects": [{"kind": "VM", "apiVersion": "v1", "spec": spec}] if objects is None else objects,
        "parameters": [dict(parameter) for parameter in parameters],
        **fields,
    }


def errors(of, values=None):
    with pytest.raises(ProcessError) as caught:
        process(of, values)
    return caught.value.errors


def _vectors():
    """Each template with the real processor's answer: errors, a panic, or objects (and where known labels, message)."""
    if SHARED is None:
        return
    for case in json.loads((SHARED / "processor-vectors.json").read_bytes()):
        result = dict(case["result"])
        if "error" in result:
            result = {"errors": [result["error"]]}
        yield case["case"], case["template"], result
    with (SHARED / "processor-vectors-random.jsonl").open("rb") as lines:
        for number, line in enumerate(lines, 1):
            case = json.loads(line)
            yield f"random, line {number}", case["template"], case["result"]


def _agrees(template, result):
    real = result.get("errors", []) + ([result["panic"]] if "panic" in result else [])
    try:
        ours = processed(template)
    except ProcessError as error:
        return bool(real) and all(_says(error.errors, text) for text in real)
    if real or ours.objects != result["objects"]:
        return False
    return "labels" not in result or (ours.labels, ours.message) == (result["labels"], result["message"] or "")


def _says(errors, real):
    """Whether one of our errors is the real one, its text of the object as compact as ours, and its prefixes gone."""
    if real.startswith("DECODE-ERR: "):  # Go's decoder names the type, ours the path
        return any("metadata.labels" in error for error in errors)
    real = real.removeprefix("PANIC: ").removeprefix('ERR: Template.template.openshift.io "t" is invalid: ')
    return any(real.replace('": ', '":') in error.replace('": ', '":') for error in errors)


@needs_shared
def test_recorded_answers_of_the_processor():
    vectors = list(_vectors())
    wrong = [
        f"{name}: {json.dumps(template)} -> {result}"
        for name, template, result in vectors
        if not _agrees(template, result)
    ]
    assert len(vectors) == 1750
    assert not wrong, f"{len(wrong)} of {len(vectors)} differ:\n" + "\n".join(wrong[:3])


P = {"name": "P", "value": "5"}
Q = {"name": "Q", "value": "${P}"}
R = {"name": "R", "value": "${X}"}
NULL = {"name": "NULL", "value": "null"}
SPECS = {  # what it shows: (spec, what becomes of it), with the parameters above
    "a text in double braces is decoded as JSON": ("${{P}}", 5),
    "a text in single braces stays a text": ("${P}", "5"),
    "a value that is not JSON stays a text": ("${{Q}}", "${P}"),
    "double braces with anything around them are single braces": ("${{P}} ", "${{P}} "),
    "an undefined reference stays": (["${X}", "${{X}}"], ["${X}", "${{X}}"]),
    "a value put in is not visited again": ("${Q}", "${P}"),
    "the first matching text is replaced": ("${Q} ${P}", "5 ${P}"),
    "ten references to one parameter are replaced in order": ("${P}" * 10, "5" * 10),
    "references are replaced in order however many": ("${P}" * 9 + "${Q}${P}", "5" * 10 + "${P}"),
    "a map key is substituted": ({"a${P}": "${P}"}, {"a5": "5"}),
    "a substituted key wins over an equal one": ({"${P}": 1, "5": 2}, {"5": 1}),
    "a substituted key wins over one that only looks like a reference": ({"${R}": 1, "${X}": 2}, {"${X}": 1}),
    "braces that do not close are text": (["${{P}x", "${P"], ["${{P}x", "${P"]),
    "a key that stays wins over none": ({"${Q}": 1, "${P}": 2}, {"${P}": 1, "5": 2}),
    "null drops a field": ({"a": "${{NULL}}", "b": 1}, {"b": 1}),
    "null drops the field that a key becomes": ({"5": 1, "${P}": "${{NULL}}", "b": 1}, {"b": 1}),
    "a literal null stays": ({"a": None, "l": [None]}, {"a": None, "l": [None]}),
    "a literal integer keeps its 64 bits": (2**63 - 1, 2**63 - 1),
    "empty containers stay": ({"a": {}, "b": []}, {"a": {}, "b": []}),
}


@pytest.mark.parametrize("phrase", SPECS)
def test_value_is_substituted_as_recorded(phrase):
    spec, expected = SPECS[phrase]
    (made,) = process(template({"v": spec}, parameters=[P, Q, R, NULL]))
    assert made == {"kind": "VM", "apiVersion": "v1", "spec": {"v": expected}}


OBJECTS = {  # what it shows: (object, what becomes of it), under the labels {"l": "${P}"}
    "a namespace is taken away": (
        {"kind": "A", "metadata": {"namespace": "ns"}},
        {"kind": "A", "apiVersion": "", "metadata": {"labels": {"l": "5"}}},
    ),
    "a namespace with a reference stays": (
        {"kind": "A", "metadata": {"namespace": "n${P}"}},
        {"kind": "A", "apiVersion": "", "metadata": {"namespace": "n5", "labels": {"l": "5"}}},
    ),
    "a namespace in double braces is taken away": (
        {"kind": "A", "metadata": {"namespace": "${{P}}"}},
        {"kind": "A", "apiVersion": "", "metadata": {"labels": {"l": "5"}}},
    ),
    "a namespace that is not a string is empty": (
        {"kind": "A", "metadata": {"namespace": 1}},
        {"kind": "A", "apiVersion": "", "metadata": {"namespace": "", "labels": {"l": "5"}}},
    ),
    "labels merge, and the template's win": (
        {"kind": "A", "metadata": {"labels": {"a": "1", "l": "2", "n": None}}},
        {"kind": "A", "apiVersion": "", "metadata": {"labels": {"a": "1", "l": "5", "n": ""}}},
    ),
    "labels that are no map of texts are thrown away": (
        {"kind": "A", "metadata": {"labels": {"a": 1}}},
        {"kind": "A", "apiVersion": "", "metadata": {"labels": {"l": "5"}}},
    ),
    "metadata that are no map get no labels": (
        {"kind": "A", "metadata": "${{P}}"},
        {"kind": "A", "apiVersion": "", "metadata": 5},
    ),
    "without metadata the namespace is at the top": (
        {"kind": "A", "namespace": "ns"},
        {"kind": "A", "apiVersion": "", "namespace": "", "metadata": {"labels": {"l": "5"}}},
    ),
    "a namespace at the top that is not a string is empty": (
        {"kind": "A", "namespace": 1},
        {"kind": "A", "apiVersion": "", "namespace": "", "metadata": {"labels": {"l": "5"}}},
    ),
    "an apiVersion with two slashes becomes none": (
        {"kind": "A", "apiVersion": "a/${P}", "metadata": None},
        {"kind": "", "apiVersion": "", "metadata": None},
    ),
    "a kind that is not a string becomes none": (
        {"kind": "${{P}}", "apiVersion": "/v1", "metadata": None},
        {"kind": "", "apiVersion": "v1", "metadata": None},
    ),
}


@pytest.mark.parametrize("phrase", OBJECTS)
def test_object_is_processed_as_recorded(phrase):
    item, expected = OBJECTS[phrase]
    slash = {"name": "P", "value": "5/6"} if "slashes" in phrase else P
    made = process(template(objects=[item], parameters=[slash], labels={"l": "${P}"}))
    assert made == [expected]


def test_list_keeps_namespaces_and_sets_the_kind_of_items():
    item = {"kind": "FooList", "apiVersion": "v1", "items": [{"metadata": {"namespace": "n"}, "v": "${{P}}"}, None]}
    assert process(template(objects=[item], parameters=[P])) == [
        {
            "kind": "FooList",
            "apiVersion": "v1",
            "items": [
                {"kind": "Foo", "apiVersion": "v1", "metadata": {"namespace": "n"}, "v": 5},
                {"kind": "Foo", "apiVersion": "v1"},
            ],
        }
    ]


def test_empty_supplied_value_counts():
    generated = {"name": "G", "generate": "expression", "from": "[a-z]{3}"}
    (made,) = process(template({"v": "${P}", "g": "${G}"}, parameters=[P, generated]), {"P": "7", "G": ""})
    assert made["spec"] == {"v": "7", "g": ""}


def test_supplied_value_sets_the_first_of_equal_names():
    (made,) = process(template("${P}", parameters=[P, P | {"value": "6"}]), {"P": "7"})
    assert made["spec"] == "6"


def test_lone_surrogate_in_a_supplied_value_is_replaced():
    (made,) = process(template("${P}", parameters=[P]), {"P": "a\udcff"})
    assert made["spec"] == "a\ufffd"


def test_all_parameter_errors_are_reported_together():
    wrong = template(
        parameters=[
            {"name": "A", "required": True},
            {"name": "B", "generate": "dice"},
            {"name": "b c", "value": "1"},
            {"value": "1"},
            {"name": "C", "generate": "expression", "from": "[a]{3}"},
            P,
        ]
    )
    assert errors(wrong, {"X": "1", "P": 2}) == [
        'unknown parameter name "X"',
        "the value of parameter P must be a string, not int",
        "template.parameters[0]: Required value: template.parameters[0]: parameter A is required and must be specified",
        "template.parameters[1]: Invalid value: \"dice\": Unknown generator name 'dice' for parameter B",
        (
            'template.parameters[4]: Invalid value: {"name":"C","generate":"expression","from":"[a]{3}"}: '
            "malformed expresion syntax: [a]"
        ),
        'parameters[2].name: Invalid value: "b c": does not match ^[a-zA-Z0-9_]+$',
        "parameters[3].name: Required value",
    ]


REJECTED = {  # what is rejected: (objects, labels, the cluster's words)
    "an object without a kind": (
        [{"a": 1}],
        None,
        "item[0].objects: Invalid value: {\"a\":1}: unable to handle object: Object 'Kind' is missing in '{\"a\":1}'",
    ),
    "an object that is none": (
        [{"kind": "A"}, "x"],
        None,
        (
            'item[1].objects: Invalid value: "x": unable to handle object: '
            "json: cannot unmarshal string into Go value of type unstructured.detector"
        ),
    ),
    "items that are none": (
        [{"kind": "A", "items": {}}],
        None,
        (
            'item[0].objects: Invalid value: {"kind":"A","items":{}}: unable to handle object: '
            "json: cannot unmarshal object into Go struct field decodeList.items of type []json.RawMessage"
        ),
    ),
    "an item that is not an object": (
        [{"kind": "A", "items": [1]}],
        None,
        (
            'item[0].objects: Invalid value: {"kind":"A","items":[1]}: unable to handle object: '
            "json: cannot unmarshal number into Go value of type map[string]interface {}"
        ),
    ),
    "labels for a list": (
        [{"kind": "A", "items": []}],
        {"a": "b"},
        (
            'item[0].labels: Invalid value: {"a":"b"}: label could not be applied: '
            "object does not implement the Object interfaces"
        ),
    ),
    "nothing in an object's place": (
        [None],
        None,
        "objects[0]: OpenShift's processor panics here: runtime error: invalid memory address or nil pointer dereference",
    ),
    "null in a list": (
        [{"kind": "A", "l": ["${{NULL}}"]}],
        None,
        "${{NULL}}: OpenShift's processor panics here: reflect: call of reflect.Value.Set on zero Value",
    ),
    "null for a key": (
        [{"kind": "A", "${{NULL}}": 1}],
        None,
        "${{NULL}}: OpenShift's processor panics here: reflect: call of reflect.Value.SetMapIndex on zero Value",
    ),
    "a number for a key": (
        [{"kind": "A", "${{P}}": 1}],
        None,
        (
            "${{P}}: OpenShift's processor panics here: "
            "reflect.Value.SetMapIndex: value of type float64 is not assignable to type string"
        ),
    ),
}


@pytest.mark.parametrize("phrase", REJECTED)
def test_rejection_has_the_words_of_the_cluster(phrase):
    objects, labels, words = REJECTED[phrase]
    assert errors(template(objects=objects, labels=labels, parameters=[P, NULL])) == [words]


def test_labels_and_message_are_substituted_as_text():
    made = processed(
        template(objects=[], parameters=[P, Q], labels={"${P}": "${{P}}", "a": "${Q}", "5": "x"}, message="${{P}}")
    )
    assert made == ([], "5", {"5": "5", "a": "${P}"})
