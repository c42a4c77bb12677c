"""The size limit of a template, which ends rendering early, and stored sizes."""

import pytest

import atmpl
from atmpl.template import TemplateTooLargeError, render
from atmpl.template.errors import MAX_STORED_BYTES
from atmpl.template.formats import FORMATS
from atmpl.template.parameter_names import Name
from atmpl.template.stored_size import stored_size, stored_size_of
from atmpl.template.substitution import Substitution
from tests.support.template_vms import a_vm

SIZES = {
    b"{}": 2,
    b'{"a":"<>&"}': 11 + 3 * 5,
    '{"a":"\u2028\u2029"}'.encode(): 14 + 2 * 3,
    '{"a":"\u00e9"}'.encode(): 10,
}


@pytest.mark.parametrize("data", SIZES)
def test_stored_size_counts_escapes_as_six_bytes(data):
    assert stored_size(data) == SIZES[data]


LARGE = {
    "many items": a_vm({"readinessProbe": {"exec": {"command": ["x"] * 280_000}}}),
    "many long names": a_vm({f"{'k' * 60}{index}": 1 for index in range(8_000)}),
    "many keys": a_vm({f"k{index}": 1 for index in range(50_000)}),
    "a long text": a_vm({"x": "a" * MAX_STORED_BYTES}),
    "many literals": a_vm({}, spec={"x": [0] * 600_000}),
    "long literals": a_vm({}, spec={"x": ["v" * 200] * 6_000}),
    "many annotations": a_vm({}, annotations={f"k{index}": "v" * 120 for index in range(9_900)}),
    "many names": a_vm({"disks": [{"name": "n" * 300} for _ in range(4_000)]}),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("phrase", LARGE)
def test_template_beyond_the_limit_is_an_error(phrase, format):
    with pytest.raises(TemplateTooLargeError, match="1,048,576"):
        atmpl.render(LARGE[phrase], format=format)


MANY_VALUES = {  # each is smaller than the limit of bytes, and has more values than the limit of values
    "items that are not selected": a_vm({"readinessProbe": {"exec": {"command": ["x"] * 240_000}}}),
    "small literal objects": a_vm({"x": [{"a": None}] * 90_000}),
    "empty objects": a_vm({"x": [{}] * 330_000}),
    "fields outside of the instance": a_vm({}, spec={"x": [0] * 330_000, "y": 1}),
    "leaves": a_vm({f"k{index}": {"a": 1, "b": None} for index in range(6_000)}),
}


@pytest.mark.parametrize("options", [{"profile": "None"}, {"profile": "Common", "include": ["y", "x.**"]}])
@pytest.mark.parametrize("phrase", MANY_VALUES)
def test_many_values_end_rendering_early(monkeypatch, phrase, options):
    def no_name(*_):
        raise AssertionError

    monkeypatch.setattr(Name, "__new__", no_name)
    monkeypatch.setattr(Substitution, "tree", no_name)
    with pytest.raises(atmpl.RenderError, match="spec: has more than 10,000 values"):
        atmpl.render(MANY_VALUES[phrase], **options)


@pytest.mark.parametrize("profile", ["All", "Common", "None"])
def test_vm_with_the_most_values_is_rendered(profile):
    atmpl.render(a_vm({"x": [None] * 9_900, "y": "z"}), profile=profile)


def test_rendering_stops_before_names_are_made(monkeypatch):
    def no_name(*_):
        raise AssertionError

    monkeypatch.setattr(Name, "__new__", no_name)
    with pytest.raises(TemplateTooLargeError):
        atmpl.render(a_vm({"commandX": ["x"] * 280_000}))


@pytest.mark.parametrize("format", FORMATS)
def test_template_at_the_limit_is_rendered(format):
    def rendered(length):
        return render(a_vm({"x": "a" * length}), format=FORMATS[format], name="t").template

    rest = stored_size_of(rendered(1)) - 1
    assert stored_size_of(rendered(MAX_STORED_BYTES - rest)) == MAX_STORED_BYTES
    with pytest.raises(TemplateTooLargeError):
        rendered(MAX_STORED_BYTES - rest + 1)


@pytest.mark.parametrize("format", FORMATS)
def test_dropped_data_does_not_count(format):
    dumped = {"volumes": [{"name": "a", "memoryDump": {"claimName": "c", "x": ["y"] * 500_000}}]}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "x" * MAX_STORED_BYTES}
    atmpl.render(a_vm(dumped, annotations=annotations), format=format)


@pytest.mark.parametrize("format", FORMATS)
def test_required_secret_does_not_count(format):
    vm = a_vm({"volumes": [{"name": "a", "cloudInitNoCloud": {"userData": "x" * MAX_STORED_BYTES}}]})
    atmpl.render(vm, format=format, secrets="Require")
    atmpl.render(vm, format=format, secrets="Extract", profile="None")
