"""Parsing a request: both forms of the spec, and the status."""

from contextlib import suppress
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atmpl.controller.objects import ObjectKey
from atmpl.controller.request import Request, Requester, RequestSpec, UnsupportedError, parse_request, parse_spec
from atmpl.controller.request_status import RequestStatus
from atmpl.template import FORMATS, RenderOptions, TemplateMetadata

OPENSHIFT, NATIVE = FORMATS["openshift"], FORMATS["native"]
KEY = ObjectKey("team-a", "request")
SPEC = RequestSpec(
    ObjectKey("team-a", "vm"), OPENSHIFT, "request", RenderOptions(), refresh_on_change=False, ttl_seconds=None
)
SHORT_FORM = {"vmName": "vm"}
BOTH = {"source": {"vmName": "vm"}, "target": {"openshiftTemplate": {}}}

GOOD: dict[str, tuple[dict[str, Any], RequestSpec]] = {
    "source and target": (BOTH, SPEC),
    "a source in another namespace": (
        BOTH | {"source": {"vmName": "vm", "vmNamespace": "team-b"}},
        SPEC._replace(source=ObjectKey("team-b", "vm")),
    ),
    "a named target": (
        BOTH | {"target": {"openshiftTemplate": {"name": "golden.v2"}}},
        SPEC._replace(template_name="golden.v2"),
    ),
    "the native target": (BOTH | {"target": {"virtualMachineTemplate": {}}}, SPEC._replace(format=NATIVE)),
    "the native target, named": (
        BOTH | {"target": {"virtualMachineTemplate": {"name": "golden"}}},
        SPEC._replace(format=NATIVE, template_name="golden"),
    ),
    "the short form with nothing but the VM": (SHORT_FORM, SPEC),
    "the short form in full": (
        {"vmName": "vm", "templateName": "golden", "format": "template.openshift.io/v1"},
        SPEC._replace(template_name="golden"),
    ),
    "the short form with the native format": (
        SHORT_FORM | {"format": "template.kubevirt.io/v1beta1"},
        SPEC._replace(format=NATIVE),
    ),
    "Once": (SHORT_FORM | {"refreshPolicy": "Once"}, SPEC),
    "OnChange": (BOTH | {"refreshPolicy": "OnChange"}, SPEC._replace(refresh_on_change=True)),
    "a TTL": (SHORT_FORM | {"ttlSecondsAfterFinished": 3600}, SPEC._replace(ttl_seconds=3600)),
    "a TTL of 0": (SHORT_FORM | {"ttlSecondsAfterFinished": 0}, SPEC._replace(ttl_seconds=0)),
    "a TTL of 68 years": (SHORT_FORM | {"ttlSecondsAfterFinished": 2147483647}, SPEC._replace(ttl_seconds=2147483647)),
    "a TTL with OnChange": (
        SHORT_FORM | {"ttlSecondsAfterFinished": 5, "refreshPolicy": "OnChange"},
        SPEC._replace(refresh_on_change=True),
    ),
    "every option": (
        SHORT_FORM | {"options": {"identity": "Preserve", "dataVolumes": "Unique", "secrets": "Require"}},
        SPEC._replace(options=RenderOptions("Preserve", "Unique", "Require")),
    ),
    "every other option": (
        BOTH
        | {
            "options": {
                "naming": "Parameter",
                "console": "Complete",
                "secrets": "Extract",
                "parameters": {"profile": "Common", "include": ["instancetype.name"], "exclude": ["template.**"]},
            }
        },
        SPEC._replace(
            options=RenderOptions(
                naming="Parameter",
                console="Complete",
                secrets="Extract",
                profile="Common",
                include=("instancetype.name",),
                exclude=("template.**",),
            )
        ),
    ),
    "template metadata": (
        SHORT_FORM | {"templateMetadata": {"labels": {"team": "web"}, "annotations": {"description": "Web server"}}},
        SPEC._replace(metadata=TemplateMetadata({"team": "web"}, {"description": "Web server"})),
    ),
    "null parameters and metadata": (
        SHORT_FORM | {"options": {"parameters": {"include": None}}, "templateMetadata": {"labels": None}},
        SPEC,
    ),
    "one option": (
        BOTH | {"options": {"secrets": "Require"}},
        SPEC._replace(options=RenderOptions(secrets="Require")),
    ),
    "a requester": (
        SHORT_FORM | {"requester": {"username": "alice", "uid": "1", "groups": ["a", "b"], "extra": {"k": ["v", "w"]}}},
        SPEC._replace(requester=Requester("alice", "1", ("a", "b"), (("k", ("v", "w")),))),
    ),
    "a requester with a name only": (
        BOTH | {"requester": {"username": "alice"}},
        SPEC._replace(requester=Requester("alice")),
    ),
    "null fields": (
        SHORT_FORM
        | {"source": None, "target": None, "options": {"identity": None}, "refreshPolicy": None, "templateName": None},
        SPEC,
    ),
    "names at their limits": (
        {
            "source": {"vmName": "v" * 253, "vmNamespace": "n" * 63},
            "target": {"openshiftTemplate": {"name": "t" * 253}},
        },
        SPEC._replace(source=ObjectKey("n" * 63, "v" * 253), template_name="t" * 253),
    ),
}

BAD: dict[str, tuple[Any, str]] = {
    "no spec": (None, "spec is None: write an object"),
    "a spec that is a list": ([], "spec is []: write an object"),
    "an empty spec": ({}, "spec.vmName is missing: write the name of the virtual machine"),
    "a field of a later version": (
        SHORT_FORM | {"schedule": "@daily"},
        "spec.schedule is unknown to this version of atmpl: create the request again without it, or have a newer version of atmpl installed",
    ),
    "both forms": (
        SHORT_FORM | BOTH,
        "spec has both forms: keep source and target, or vmName, templateName and format",
    ),
    "a source and a short format": (
        {"source": {"vmName": "vm"}, "format": "template.openshift.io/v1"},
        "spec has both forms: keep source and target, or vmName, templateName and format",
    ),
    "a source alone": ({"source": {"vmName": "vm"}}, "spec.source and spec.target require each other: write both"),
    "a target alone": (
        {"target": {"openshiftTemplate": {}}},
        "spec.source and spec.target require each other: write both",
    ),
    "a source that is a name": (BOTH | {"source": "vm"}, "spec.source is 'vm': write an object"),
    "a source of another kind": (
        BOTH | {"source": {"vmName": "vm", "kind": "VirtualMachineSnapshot"}},
        "spec.source.kind is unknown to this version of atmpl: create the request again without it, or have a newer version of atmpl installed",
    ),
    "a source without a name": (
        BOTH | {"source": {"vmNamespace": "team-b"}},
        "spec.source.vmName is missing: write the name of the virtual machine",
    ),
    "a target of no format": (
        BOTH | {"target": {}},
        "spec.target has nothing: write exactly one of openshiftTemplate, virtualMachineTemplate",
    ),
    "a target of two formats": (
        BOTH | {"target": {"openshiftTemplate": {}, "virtualMachineTemplate": {}}},
        "spec.target has openshiftTemplate and virtualMachineTemplate: write exactly one of openshiftTemplate, virtualMachineTemplate",
    ),
    "a target of an unknown format": (
        BOTH | {"target": {"helmChart": {}}},
        "spec.target.helmChart is unknown to this version of atmpl: create the request again without it, or have a newer version of atmpl installed",
    ),
    "a target that is a name": (
        BOTH | {"target": {"openshiftTemplate": "golden"}},
        "spec.target.openshiftTemplate is 'golden': write an object",
    ),
    "a target with more than a name": (
        BOTH | {"target": {"openshiftTemplate": {"namespace": "openshift"}}},
        "spec.target.openshiftTemplate.namespace is unknown to this version of atmpl: create the request again without it, or have a newer version of atmpl installed",
    ),
    "an unknown format": (
        SHORT_FORM | {"format": "template.openshift.io/v2"},
        "spec.format is 'template.openshift.io/v2': write one of template.kubevirt.io/v1beta1, template.openshift.io/v1",
    ),
    "a format that is an object": (
        SHORT_FORM | {"format": {}},
        "spec.format is {}: write one of template.kubevirt.io/v1beta1, template.openshift.io/v1",
    ),
    "a name with a path": (
        {"vmName": "../../../api/v1/secrets"},
        "spec.vmName is '../../../api/v1/secrets': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a template's name with a path": (
        SHORT_FORM | {"templateName": "a/status"},
        "spec.templateName is 'a/status': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a namespace with a path": (
        BOTH | {"source": {"vmName": "vm", "vmNamespace": ".."}},
        "spec.source.vmNamespace is '..': write a name of lower case letters, digits and '-', such as fedora-1",
    ),
    "a name that ends with a line break": (
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
        SHORT_FORM | {"refreshPolicy": "Always"},
        "spec.refreshPolicy is 'Always': write Once or OnChange",
    ),
    "a TTL that is true": (
        SHORT_FORM | {"ttlSecondsAfterFinished": True},
        "spec.ttlSecondsAfterFinished is True: write an integer of 0 or more seconds",
    ),
    "a negative TTL": (
        SHORT_FORM | {"ttlSecondsAfterFinished": -1},
        "spec.ttlSecondsAfterFinished is -1: write an integer of 0 or more seconds",
    ),
    "a TTL beyond the limit": (
        SHORT_FORM | {"ttlSecondsAfterFinished": 2**31},
        "spec.ttlSecondsAfterFinished is 2147483648: write an integer of 0 or more seconds",
    ),
    "a requester without a name": (
        SHORT_FORM | {"requester": {"uid": "1"}},
        "spec.requester is not a user: create the request again without it",
    ),
    "a requester with an empty name": (
        SHORT_FORM | {"requester": {"username": ""}},
        "spec.requester is not a user: create the request again without it",
    ),
    "a requester whose groups are text": (
        SHORT_FORM | {"requester": {"username": "alice", "groups": "admins"}},
        "spec.requester is not a user: create the request again without it",
    ),
    "a requester whose extra is a list": (
        SHORT_FORM | {"requester": {"username": "alice", "extra": ["x"]}},
        "spec.requester is not a user: create the request again without it",
    ),
    "options that are a list": (SHORT_FORM | {"options": []}, "spec.options is []: write an object"),
    "an unknown option": (
        SHORT_FORM | {"options": {"network": "Fresh"}},
        "spec.options.network is unknown to this version of atmpl: create the request again without it, or have a newer version of atmpl installed",
    ),
}

UNKNOWN_OPTIONS: dict[str, Any] = {
    "an unknown value": {"options": {"identity": "fresh"}},
    "a value that is a list": {"options": {"secrets": ["Require"]}},
    "an unknown profile": {"options": {"parameters": {"profile": "Most"}}},
    "an invalid pattern": {"options": {"parameters": {"include": ["a..b"]}}},
    "a pattern that is a number": {"options": {"parameters": {"exclude": [7]}}},
    "patterns that are text": {"options": {"parameters": {"exclude": "a"}}},
    "Complete with the native format": {
        "format": "template.kubevirt.io/v1beta1",
        "options": {"console": "Complete"},
    },
    "a reserved label": {"templateMetadata": {"labels": {"ssp.kubevirt.io/request-uid": "1"}}},
    "a label that is a number": {"templateMetadata": {"labels": {"a": 1}}},
    "labels that are a list": {"templateMetadata": {"labels": ["a"]}},
    "a name of the template": {"templateMetadata": {"name": "a"}},
}


@pytest.mark.parametrize("case", GOOD)
def test_spec_of_either_form_is_parsed(case: str) -> None:
    spec, expected = GOOD[case]
    assert parse_spec(spec, KEY) == expected


@pytest.mark.parametrize("case", BAD)
def test_unknown_spec_is_unsupported_with_a_remedy(case: str) -> None:
    spec, message = BAD[case]
    with pytest.raises(UnsupportedError) as error:
        parse_spec(spec, KEY)
    assert str(error.value) == message


@pytest.mark.parametrize("case", UNKNOWN_OPTIONS)
def test_unknown_option_is_unsupported(case: str) -> None:
    with pytest.raises(UnsupportedError, match=r"^spec\.(options|templateMetadata)"):
        parse_spec(SHORT_FORM | UNKNOWN_OPTIONS[case], KEY)


METADATA = {"name": "request", "namespace": "team-a", "uid": "1-2", "resourceVersion": "7"}


def a_request(*, spec: Any = SHORT_FORM, status: Any = None, **metadata: Any) -> Request:
    found = {"metadata": METADATA | metadata, "spec": spec}
    return parse_request(orjson.dumps(found if status is None else found | {"status": status}))


def test_request_is_parsed() -> None:
    found = a_request(generation=3, creationTimestamp="2024-01-02T03:04:05Z")
    assert found == Request(
        key=KEY,
        uid="1-2",
        resource_version="7",
        generation=3,
        created="2024-01-02T03:04:05Z",
        is_deleting=False,
        spec=SPEC,
        unsupported="",
        raw_status=b"{}",
        status=RequestStatus(),
    )
    assert found.template_key(SPEC) == ObjectKey("team-a", "request")


def test_deletion_is_parsed() -> None:
    assert a_request(deletionTimestamp="2024-01-02T03:04:05Z").is_deleting


def test_unsupported_spec_is_parsed_with_its_reason() -> None:
    found = a_request(spec={"vmName": "VM"})
    assert found.spec is None
    assert found.unsupported.startswith("spec.vmName is 'VM'")
    assert not found.is_published_once
    assert not found.crosses_namespaces


SINCE = "2024-01-02T03:04:05Z"
READY = {"type": "Ready", "status": "True", "reason": "Rendered", "message": "", "lastTransitionTime": SINCE}

DONE = {"conditions": [READY]}
KEPT = {"conditions": [READY], "rendered": {"digest": "ab", "templateResourceVersion": "44"}}
# spec, status: is_rendered, is_published_once, is_finished
STATES: dict[str, tuple[Any, Any, tuple[bool, bool, bool]]] = {
    "Once, fresh": (SHORT_FORM, {}, (False, False, False)),
    "Once, rendered": (SHORT_FORM, DONE, (True, True, True)),
    "OnChange, rendered": (SHORT_FORM | {"refreshPolicy": "OnChange"}, KEPT, (True, False, False)),
    "Once, rendered under OnChange, not detached yet": (SHORT_FORM, KEPT, (True, True, False)),
    "Ready for another reason": (SHORT_FORM, {"conditions": [READY | {"reason": "Failed"}]}, (False, False, False)),
    "unsupported, though rendered": ({"vmName": "VM"}, DONE, (True, False, False)),
}


@pytest.mark.parametrize("case", STATES)
def test_progress_of_a_request(case: str) -> None:
    spec, status, expected = STATES[case]
    found = a_request(spec=spec, status=status)
    assert (found.is_rendered, found.is_published_once, found.is_finished) == expected


@pytest.mark.parametrize(
    ("source", "crosses"), [({}, False), ({"vmNamespace": "team-a"}, False), ({"vmNamespace": "team-b"}, True)]
)
def test_source_of_another_namespace_is_detected(source: Any, crosses: bool) -> None:
    assert a_request(spec=BOTH | {"source": {"vmName": "vm"} | source}).crosses_namespaces is crosses


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
specs = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "source",
            "target",
            "vmName",
            "templateName",
            "format",
            "refreshPolicy",
            "ttlSecondsAfterFinished",
            "options",
            "templateMetadata",
            "requester",
        ),
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
def test_any_json_is_parsed_or_unsupported(spec: Any, status: Any) -> None:
    found = parse_request(encoded({"metadata": METADATA, "spec": spec, "status": status}))
    assert (found.spec is None) == bool(found.unsupported)


@given(json)
def test_other_json_is_rejected(value: Any) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_request(encoded(value))


@pytest.mark.parametrize("line", [b"", b"{", b"<html>", b"\xff", b'{"metadata":{"name":"\xff"}}'], ids=repr)
def test_invalid_json_is_rejected(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_request(line)


@pytest.mark.parametrize("field", ["spec", "status", "metadata"])
def test_deep_nesting_is_parsed_or_a_recursion_error(field: str) -> None:
    for levels in (500, *range(900, 1010), 10_000):
        nested = b'{"x":' + b"[" * levels + b"]" * levels + b"}"
        rest = orjson.dumps(METADATA)[:-1]
        line = b'{"metadata":' + (rest + b',"x":' + nested + b"}" if field == "metadata" else rest + b"}")
        with suppress(RecursionError):  # the stream then prunes it and parses it again
            parse_request(line + (b"}" if field == "metadata" else b',"' + field.encode() + b'":' + nested + b"}"))
