"""A request's spec in both its forms, and what an earlier reconcile wrote: read as they are, guessed at never."""

from contextlib import suppress
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atmpl.controller.objects import ObjectKey
from atmpl.controller.request import Request, RequestSpec, UnsupportedError, canonical, read
from atmpl.controller.request_status import RequestStatus
from atmpl.template import FORMATS, RenderOptions

OPENSHIFT, NATIVE = FORMATS["openshift"], FORMATS["native"]
KEY = ObjectKey("team-a", "request")
ASKED = RequestSpec(ObjectKey("team-a", "vm"), OPENSHIFT, "request", RenderOptions(), refresh_on_change=False, ttl=None)
FLAT = {"vmName": "vm"}
BOTH = {"source": {"vmName": "vm"}, "target": {"openshiftTemplate": {}}}

GOOD: dict[str, tuple[dict[str, Any], RequestSpec]] = {
    "source and target": (BOTH, ASKED),
    "a source elsewhere": (
        BOTH | {"source": {"vmName": "vm", "vmNamespace": "team-b"}},
        ASKED._replace(source=ObjectKey("team-b", "vm")),
    ),
    "a named target": (
        BOTH | {"target": {"openshiftTemplate": {"name": "golden.v2"}}},
        ASKED._replace(template="golden.v2"),
    ),
    "the native target": (BOTH | {"target": {"virtualMachineTemplate": {}}}, ASKED._replace(format=NATIVE)),
    "the native target, named": (
        BOTH | {"target": {"virtualMachineTemplate": {"name": "golden"}}},
        ASKED._replace(format=NATIVE, template="golden"),
    ),
    "the flat form with nothing but the VM": (FLAT, ASKED),
    "the flat form in full": (
        {"vmName": "vm", "templateName": "golden", "format": "template.openshift.io/v1"},
        ASKED._replace(template="golden"),
    ),
    "the flat form with the native format": (
        FLAT | {"format": "template.kubevirt.io/v1beta1"},
        ASKED._replace(format=NATIVE),
    ),
    "Once, said": (FLAT | {"refreshPolicy": "Once"}, ASKED),
    "OnChange": (BOTH | {"refreshPolicy": "OnChange"}, ASKED._replace(refresh_on_change=True)),
    "a TTL": (FLAT | {"ttlSecondsAfterFinished": 3600}, ASKED._replace(ttl=3600)),
    "a TTL of no time at all": (FLAT | {"ttlSecondsAfterFinished": 0}, ASKED._replace(ttl=0)),
    "a TTL of 68 years": (FLAT | {"ttlSecondsAfterFinished": 2147483647}, ASKED._replace(ttl=2147483647)),
    "a TTL that OnChange has no use for": (
        FLAT | {"ttlSecondsAfterFinished": 5, "refreshPolicy": "OnChange"},
        ASKED._replace(refresh_on_change=True),
    ),
    "every option": (
        FLAT | {"options": {"identity": "Preserve", "dataVolumes": "Unique", "secrets": "Require"}},
        ASKED._replace(options=RenderOptions("Preserve", "Unique", "Require")),
    ),
    "one option": (
        BOTH | {"options": {"secrets": "Require"}},
        ASKED._replace(options=RenderOptions(secrets="Require")),
    ),
    "nulls, which say nothing": (
        FLAT
        | {"source": None, "target": None, "options": {"identity": None}, "refreshPolicy": None, "templateName": None},
        ASKED,
    ),
    "names at their limits": (
        {
            "source": {"vmName": "v" * 253, "vmNamespace": "n" * 63},
            "target": {"openshiftTemplate": {"name": "t" * 253}},
        },
        ASKED._replace(source=ObjectKey("n" * 63, "v" * 253), template="t" * 253),
    ),
}

BAD: dict[str, tuple[Any, str]] = {
    "no spec": (None, "spec is None: write an object there"),
    "a spec that is a list": ([], "spec is []: write an object there"),
    "an empty spec": ({}, "spec.vmName is missing: write the name of the virtual machine"),
    "a field of a later version": (
        FLAT | {"schedule": "@daily"},
        "spec.schedule is not known to this version of atmpl: remove it, or have atmpl upgraded",
    ),
    "both forms": (
        FLAT | BOTH,
        "spec is written in both forms: keep source and target, or vmName and what goes with it",
    ),
    "a source and a flat format": (
        {"source": {"vmName": "vm"}, "format": "template.openshift.io/v1"},
        "spec is written in both forms: keep source and target, or vmName and what goes with it",
    ),
    "a source alone": ({"source": {"vmName": "vm"}}, "spec.source and spec.target go together: write both"),
    "a target alone": ({"target": {"openshiftTemplate": {}}}, "spec.source and spec.target go together: write both"),
    "a source that is a name": (BOTH | {"source": "vm"}, "spec.source is 'vm': write an object there"),
    "a source of another kind": (
        BOTH | {"source": {"vmName": "vm", "kind": "VirtualMachineSnapshot"}},
        "spec.source.kind is not known to this version of atmpl: remove it, or have atmpl upgraded",
    ),
    "a source without a name": (
        BOTH | {"source": {"vmNamespace": "team-b"}},
        "spec.source.vmName is missing: write the name of the virtual machine",
    ),
    "a target of no format": (
        BOTH | {"target": {}},
        "spec.target holds nothing: write exactly one of openshiftTemplate, virtualMachineTemplate",
    ),
    "a target of two formats": (
        BOTH | {"target": {"openshiftTemplate": {}, "virtualMachineTemplate": {}}},
        "spec.target holds openshiftTemplate and virtualMachineTemplate: write exactly one of openshiftTemplate, virtualMachineTemplate",
    ),
    "a target of an unknown format": (
        BOTH | {"target": {"helmChart": {}}},
        "spec.target.helmChart is not known to this version of atmpl: remove it, or have atmpl upgraded",
    ),
    "a target that is a name": (
        BOTH | {"target": {"openshiftTemplate": "golden"}},
        "spec.target.openshiftTemplate is 'golden': write an object there",
    ),
    "a target with more than a name": (
        BOTH | {"target": {"openshiftTemplate": {"namespace": "openshift"}}},
        "spec.target.openshiftTemplate.namespace is not known to this version of atmpl: remove it, or have atmpl upgraded",
    ),
    "an unknown format": (
        FLAT | {"format": "template.openshift.io/v2"},
        "spec.format is 'template.openshift.io/v2': write one of template.kubevirt.io/v1beta1, template.openshift.io/v1",
    ),
    "a format that is an object": (
        FLAT | {"format": {}},
        "spec.format is {}: write one of template.kubevirt.io/v1beta1, template.openshift.io/v1",
    ),
    "a name that leads a call astray": (
        {"vmName": "../../../api/v1/secrets"},
        "spec.vmName is '../../../api/v1/secrets': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a template's name that leads a call astray": (
        FLAT | {"templateName": "a/status"},
        "spec.templateName is 'a/status': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a namespace that leads a call astray": (
        BOTH | {"source": {"vmName": "vm", "vmNamespace": ".."}},
        "spec.source.vmNamespace is '..': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a name that ends with a line": (
        {"vmName": "vm\n"},
        "spec.vmName is 'vm\\n': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "an empty name": (
        {"vmName": ""},
        "spec.vmName is '': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a name of 254 characters": (
        {"vmName": "v" * 254},
        f"spec.vmName is '{'v' * 79}: write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a name that is a number": (
        {"vmName": 7},
        "spec.vmName is 7: write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "an unknown policy": (
        FLAT | {"refreshPolicy": "Always"},
        "spec.refreshPolicy is 'Always': write Once or OnChange",
    ),
    "a TTL that is true": (
        FLAT | {"ttlSecondsAfterFinished": True},
        "spec.ttlSecondsAfterFinished is True: write a whole number of seconds, 0 or more",
    ),
    "a TTL before success": (
        FLAT | {"ttlSecondsAfterFinished": -1},
        "spec.ttlSecondsAfterFinished is -1: write a whole number of seconds, 0 or more",
    ),
    "a TTL that no clock can hold": (
        FLAT | {"ttlSecondsAfterFinished": 2**31},
        "spec.ttlSecondsAfterFinished is 2147483648: write a whole number of seconds, 0 or more",
    ),
    "options that are a list": (FLAT | {"options": []}, "spec.options is []: write an object there"),
    "an unknown option": (
        FLAT | {"options": {"network": "Fresh"}},
        "spec.options.network is not known to this version of atmpl: remove it, or have atmpl upgraded",
    ),
    "an option's unknown word": (
        FLAT | {"options": {"identity": "fresh"}},
        "spec.options.identity is 'fresh': write Fresh or Preserve",
    ),
    "an option that is a list": (
        FLAT | {"options": {"secrets": ["Require"]}},
        "spec.options.secrets is ['Require']: write Preserve or Require or Extract",
    ),
}


@pytest.mark.parametrize("sentence", GOOD)
def test_a_good_spec_becomes_canonical(sentence: str) -> None:
    spec, expected = GOOD[sentence]
    assert canonical(spec, KEY) == expected


@pytest.mark.parametrize("sentence", BAD)
def test_what_this_version_does_not_know_is_unsupported_and_the_message_says_what_to_write(sentence: str) -> None:
    spec, message = BAD[sentence]
    with pytest.raises(UnsupportedError) as error:
        canonical(spec, KEY)
    assert str(error.value) == message


METADATA = {"name": "request", "namespace": "team-a", "uid": "1-2", "resourceVersion": "7"}


def a_request(*, spec: Any = FLAT, status: Any = None, **metadata: Any) -> Request:
    found = {"metadata": METADATA | metadata, "spec": spec}
    return read(orjson.dumps(found if status is None else found | {"status": status}))


def test_a_request_is_read_with_all_that_decides_about_it() -> None:
    found = a_request(generation=3, creationTimestamp="2024-01-02T03:04:05Z")
    assert found == Request(
        key=KEY,
        uid="1-2",
        version="7",
        generation=3,
        created="2024-01-02T03:04:05Z",
        deleting=False,
        spec=ASKED,
        unsupported="",
        raw_status=b"{}",
        status=RequestStatus(),
    )
    assert found.template_key(ASKED) == ObjectKey("team-a", "request")


def test_a_request_on_its_way_out_says_so() -> None:
    assert a_request(deletionTimestamp="2024-01-02T03:04:05Z").deleting


def test_an_unsupported_spec_is_read_with_its_reason() -> None:
    found = a_request(spec={"vmName": "VM"})
    assert found.spec is None
    assert found.unsupported.startswith("spec.vmName is 'VM'")
    assert not found.done
    assert not found.needs_authorization


SINCE = "2024-01-02T03:04:05Z"
READY = {"type": "Ready", "status": "True", "reason": "Rendered", "message": "", "lastTransitionTime": SINCE}

DONE = {"conditions": [READY]}
KEPT = {"conditions": [READY], "rendered": {"digest": "ab", "templateResourceVersion": "44"}}
STATES: dict[str, tuple[Any, Any, tuple[bool, bool, bool]]] = {  # spec, status: rendered, done, finished
    "Once, fresh": (FLAT, {}, (False, False, False)),
    "Once, rendered": (FLAT, DONE, (True, True, True)),
    "OnChange, rendered": (FLAT | {"refreshPolicy": "OnChange"}, KEPT, (True, False, False)),
    "Once, rendered under OnChange and not let go yet": (FLAT, KEPT, (True, True, False)),
    "Ready for another reason": (FLAT, {"conditions": [READY | {"reason": "Failed"}]}, (False, False, False)),
    "unsupported, though rendered": ({"vmName": "VM"}, DONE, (True, False, False)),
}


@pytest.mark.parametrize("sentence", STATES)
def test_how_far_a_request_has_come(sentence: str) -> None:
    spec, status, expected = STATES[sentence]
    found = a_request(spec=spec, status=status)
    assert (found.rendered, found.done, found.finished) == expected


ELSEWHERE = BOTH | {"source": {"vmName": "vm", "vmNamespace": "team-b"}}


def test_only_a_source_elsewhere_needs_access_and_only_until_it_is_judged_or_of_no_use() -> None:
    assert a_request(spec=ELSEWHERE).needs_authorization
    assert not a_request(spec=BOTH).needs_authorization
    assert not a_request(spec=BOTH | {"source": {"vmName": "vm", "vmNamespace": "team-a"}}).needs_authorization
    assert not a_request(spec=ELSEWHERE, deletionTimestamp=SINCE).needs_authorization
    assert not a_request(spec=ELSEWHERE, status={"conditions": [READY | {"type": "Authorized"}]}).needs_authorization
    assert not a_request(spec=ELSEWHERE, status=DONE).needs_authorization, "a finished request reads no VM any more"


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
specs = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("source", "target", "vmName", "templateName", "format", "refreshPolicy", "ttlSecondsAfterFinished", "options"),
        json | st.fixed_dictionaries({}, optional={"vmName": json, "openshiftTemplate": json, "identity": json}),
    ),
)
statuses = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("conditions", "observedGeneration", "rendered", "templateRef", "source", "warnings"),
        json | st.lists(st.fixed_dictionaries({}, optional={"type": json, "status": json, "reason": json}), max_size=3),
    ),
)


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)  # unlike orjson's, of integers without bounds


@given(spec=specs | json, status=statuses | json)
def test_any_spec_and_any_status_is_read_or_refused_with_a_sentence(spec: Any, status: Any) -> None:
    found = read(encoded({"metadata": METADATA, "spec": spec, "status": status}))
    assert (found.spec is None) == bool(found.unsupported)


@given(json)
def test_anything_else_is_no_request(value: Any) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(encoded(value))


@pytest.mark.parametrize("line", [b"", b"{", b"<html>", b"\xff", b'{"metadata":{"name":"\xff"}}'], ids=repr)
def test_bytes_that_are_no_json_are_no_request(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(line)


@pytest.mark.parametrize("field", ["spec", "status", "metadata"])
def test_what_is_nested_too_deeply_is_told_apart_from_what_is_no_request(field: str) -> None:
    for levels in (500, *range(900, 1010), 10_000):
        nested = b'{"x":' + b"[" * levels + b"]" * levels + b"}"
        rest = orjson.dumps(METADATA)[:-1]
        line = b'{"metadata":' + (rest + b',"x":' + nested + b"}" if field == "metadata" else rest + b"}")
        with suppress(RecursionError):  # the stream cuts it then, and gives it again
            read(line + (b"}" if field == "metadata" else b',"' + field.encode() + b'":' + nested + b"}"))
