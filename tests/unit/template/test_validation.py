"""Limits of input: values that no template can carry, and values just within the limits."""

import inspect
import math
import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from itertools import islice, product
from uuid import UUID

import pytest

import atmpl
from atmpl.template import FORMATS, RenderError
from tests.support.template_vms import a_vm

INSTANCE = "spec.template.spec"


def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def nested_list(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cyclic():
    value = {}
    value["a"] = value
    value["b"] = [value, value]
    return value


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


BAD_VALUES = {  # a value that no template can carry: the text of the error
    "an integer beyond 64 bits": (2**64, "beyond 64 bits"),
    "a negative integer beyond 64 bits": (-(2**63) - 1, "beyond 64 bits"),
    "a huge integer": (10**5000, "beyond 64 bits"),
    "a lone surrogate": ("a\ud800b", "lone surrogate"),
    "NaN": (math.nan, "not a finite number"),
    "infinity": (math.inf, "not a finite number"),
    "a tuple": ((1,), "a tuple is not valid JSON"),
    "a tuple that cannot be hashed": (([],), "a tuple is not valid JSON"),
    "bytes": (b"a", "a bytes is not valid JSON"),
    "a set": ({1}, "a set is not valid JSON"),
    "a date": (datetime(2026, 1, 1, tzinfo=UTC), "a datetime is not valid JSON"),
    "a decimal": (Decimal("1.5"), "a Decimal is not valid JSON"),
    "a UUID": (UUID(int=0), "a UUID is not valid JSON"),
    "an enumeration": (Number.ONE, "a Number is not valid JSON"),
    "text of another class": (Text("a"), "a Text is not valid JSON"),
    "too many levels": (nested(199), "deeper than 200 levels"),
    "too many levels of lists": (nested_list(199), "deeper than 200 levels"),
    "very many levels": (nested(100_000), "deeper than 200 levels"),
    "very many levels of lists": (nested_list(100_000), "deeper than 200 levels"),
    "an object within itself": (cyclic(), "deeper than 200 levels"),
}

PLACES = {  # the place of a value: the VM, and the path
    "among the leaves": (lambda value: a_vm({"x": value}), INSTANCE + ".x"),
    "in a list": (lambda value: a_vm({"x": ["y", value]}), INSTANCE + ".x[1]"),
    "as a name": (lambda value: a_vm({"name": value}), INSTANCE + ".name"),
    "where a claim would be": (lambda value: a_vm({"claimName": value}), INSTANCE + ".claimName"),
    "in the spec": (lambda value: a_vm({}, spec={"x": value}), "spec.x"),
}


# One function checks every value; a place decides over the path only.
WHERE = [*((value, "among the leaves") for value in BAD_VALUES), *(("a lone surrogate", place) for place in PLACES)]


@pytest.mark.parametrize(("phrase", "place"), sorted({*WHERE}))
@pytest.mark.parametrize("options", [{}, {"data_volumes": "Unique"}], ids=["plain", "unique"])
def test_invalid_json_is_rejected_with_its_path(phrase, place, options):
    value, why = BAD_VALUES[phrase]
    make, path = PLACES[place]
    vm = make(value)
    vm["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "disk"}}]
    with pytest.raises(RenderError, match=why) as caught:
        atmpl.render(vm, **options)
    assert caught.value.path.startswith(path)


BAD_VMS = {  # a VM that no template is made of: the path, and the text of the error
    "null": (None, "", "not null"),
    "a list": ([], "", "not a list"),
    "text": ("vm", "", "not a string"),
    "nothing": ({}, "apiVersion", "missing"),
    "another kind": ({**a_vm({}), "kind": "Pod"}, "kind", "'Pod'"),
    "another group": ({**a_vm({}), "apiVersion": "v1"}, "apiVersion", "'v1'"),
    "no metadata": ({**a_vm({}), "metadata": None}, "metadata", "is missing; pass the complete"),
    "no name": (a_vm({}, name=None), "metadata.name", "is missing; give the VM a name"),
    "an empty name": (a_vm({}, name=""), "metadata.name", "is missing; give the VM a name"),
    "a name that is a number": (a_vm({}, name=2**60), "metadata.name", "is a number; a VM's name is a string"),
    "labels as a list": (a_vm({}, labels=[]), "metadata.labels", "a list"),
    "a label that is a number": (
        a_vm({}, labels={"a/b": 5}),
        "metadata.labels[a/b]",
        "is a number; the value of a label",
    ),
    "a label that is null": (a_vm({}, labels={"a": None}), "metadata.labels.a", "is null"),
    "an annotation that is a boolean": (
        a_vm({}, annotations={"a/b": True}),
        "metadata.annotations[a/b]",
        "is a boolean; the value of an annotation",
    ),
    "an annotation of the instance that is a number": (
        a_vm({}) | {"spec": {"template": {"metadata": {"annotations": {"a": 3}}, "spec": {}}}},
        "spec.template.metadata.annotations.a",
        "is a number",
    ),
    "a label of the instance that is null": (
        a_vm({}) | {"spec": {"template": {"metadata": {"labels": {"a": None}}, "spec": {}}}},
        "spec.template.metadata.labels.a",
        "is null",
    ),
    "a key beside the fields of a VM": (a_vm({}) | {"labels": {}}, "labels", "check its indentation"),
    "annotations as text": (a_vm({}, annotations="x"), "metadata.annotations", "is a string"),
    "no spec": ({**a_vm({}), "spec": None}, "spec", "is missing"),
    "no template": ({**a_vm({}), "spec": {}}, "spec.template", "is missing"),
    "a template that is text": ({**a_vm({}), "spec": {"template": "x"}}, "spec.template", "is a string"),
    "no instance": ({**a_vm({}), "spec": {"template": {}}}, "spec.template.spec", "is missing"),
    "an instance that is a list": (a_vm([]), "spec.template.spec", "a list"),
    "a key that is a number": (a_vm({"a": {1: 2}}), INSTANCE + ".a", "has a key that is int"),
    "a key that is null": (a_vm({None: 2}), INSTANCE, "has a key that is NoneType"),
    "a key with a lone surrogate": (a_vm({"a": {"\udfff": 2}}), INSTANCE + ".a[\\udfff]", "key holds a lone surrogate"),
}


@pytest.mark.parametrize("phrase", BAD_VMS)
def test_invalid_vm_is_rejected_with_its_path(phrase):
    vm, path, why = BAD_VMS[phrase]
    with pytest.raises(RenderError) as caught:
        atmpl.render(vm)
    assert caught.value.path == path
    assert why in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("format", FORMATS)
def test_200_levels_are_carried(format):
    atmpl.render(a_vm({"x": nested(196), "y": nested_list(196)}, spec={"x": nested(198)}), format=format)


@pytest.mark.parametrize("make", [nested, nested_list])
@pytest.mark.parametrize("options", [{}, {"data_volumes": "Unique"}], ids=["plain", "unique"])
def test_201_levels_are_rejected(make, options):
    for vm in (a_vm({"x": make(197)}), a_vm({"x": [make(196)]}), a_vm({}, spec={"x": make(199)})):
        with pytest.raises(RenderError, match="deeper than 200 levels"):
            atmpl.render(vm, **options)


@pytest.mark.parametrize("format", FORMATS)
def test_9_000_keys_are_carried(format):
    template = atmpl.render(a_vm({f"k{index}": index for index in range(9_000)}), format=format).template
    assert len(FORMATS[format].parameters(template)) == 9_001


def test_4_000_keys_of_one_name_are_carried():
    keys = islice(map("".join, product("-.", repeat=12)), 4_000)
    template = atmpl.render(a_vm({"x": dict.fromkeys(keys, 1)})).template
    assert len({each["name"] for each in template["parameters"]}) == 4_001


def test_unusual_text_is_carried():
    texts = ["\0", "\x7f", "\u2028", "\ufeff", "\uffff", "\U0010ffff", "a" * 30_000, "[" * 5000, "{" * 5000 + "\n"]
    vm = a_vm({"x": texts, **dict.fromkeys(texts, "y")}, annotations={"x": "\0"})
    (made,) = atmpl.process(atmpl.render(vm).template)
    assert made["spec"] == vm["spec"]


LONG = {  # VMs whose names would repeat long keys without end: the path
    "one long key and many leaves below": ({"x": {"k" * 100_000: dict.fromkeys(map(str, range(100)), 1)}}, "x"),
    "one long key that no name has": (
        {"volumes": [{"k" * 100_000: dict.fromkeys(map(str, range(100)), 1)}]},
        "volumes",
    ),
    "many leaves far below": ({"x": {"k" * 1000: {"l" * 1000: [1] * 10_000}}}, "x"),
}


@pytest.mark.parametrize("phrase", LONG)
def test_paths_too_long_in_total_are_rejected(phrase):
    instance, path = LONG[phrase]
    with pytest.raises(RenderError, match="shorten its keys") as caught:
        atmpl.render(a_vm(instance))
    assert caught.value.path == f"{INSTANCE}.{path}"


def test_too_little_stack_is_an_error():
    def deeper(left):
        return deeper(left - 1) if left else atmpl.render(a_vm({"x": nested(196)}))

    with pytest.raises(RenderError, match="shallower stack"):
        deeper(sys.getrecursionlimit() - len(inspect.stack()) - 60)


ARGUMENTS = {
    "a name that is empty": {"name": ""},
    "a name that is a number": {"name": 5},
    "a name with a lone surrogate": {"name": "\udfff"},
    "a format that is a list": {"format": ["openshift"]},
    "an unknown format": {"format": "helm"},
    "an unknown identity": {"identity": "fresh"},
    "an unknown choice of data volumes": {"data_volumes": "x"},
    "an unknown choice of secrets": {"secrets": None},
}


@pytest.mark.parametrize("phrase", ARGUMENTS)
def test_invalid_argument_is_rejected(phrase):
    (value,) = ARGUMENTS[phrase].values()
    with pytest.raises(RenderError, match=re.escape(ascii(value))):
        atmpl.render(a_vm({}), **ARGUMENTS[phrase])
