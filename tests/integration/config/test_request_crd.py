"""What the request's schema and rules accept and reject when a request is created, on the real API server."""

from typing import Any

import pytest

from e2e.envtest import ApiError, Client
from tests.support.crd_requests import (
    COLLECTION,
    LONG_FORM,
    SHORT_FORM,
    complaints,
    normalized,
    request,
    source,
    target,
)

GOOD: dict[str, dict[str, Any]] = {
    "source and target": LONG_FORM,
    "the short form": SHORT_FORM,
    "the short form with nothing but the VM": {"vmName": "fedora"},
    "the short form with the native format": {"vmName": "fedora", "format": "template.kubevirt.io/v1beta1"},
    "a source without its namespace": {"source": {"vmName": "fedora"}, "target": {"openshiftTemplate": {}}},
    "the native target, with a name": {
        "source": {"vmName": "fedora"},
        "target": {"virtualMachineTemplate": {"name": "fedora-template"}},
    },
    "the native target, without": {"source": {"vmName": "fedora"}, "target": {"virtualMachineTemplate": {}}},
    "a name of one character": {"vmName": "a", "templateName": "1"},
    "a name of parts": {"vmName": "a-b.c--d.0", "templateName": "fedora.v2"},
    "a name of 253 characters": {"vmName": "a" * 253, "templateName": "b" * 253},
    "a namespace of 63 characters": LONG_FORM | {"source": {"vmName": "fedora", "vmNamespace": "n" * 63}},
    "OnChange": LONG_FORM | {"refreshPolicy": "OnChange"},
    "Once with a TTL": SHORT_FORM | {"refreshPolicy": "Once", "ttlSecondsAfterFinished": 3600},
    "a TTL of no time at all": SHORT_FORM | {"ttlSecondsAfterFinished": 0},
    "a TTL of 68 years": SHORT_FORM | {"ttlSecondsAfterFinished": 2147483647},
    "every option": SHORT_FORM | {"options": {"identity": "Preserve", "dataVolumes": "Unique", "secrets": "Require"}},
    "every later option": SHORT_FORM
    | {
        "options": {
            "secrets": "Extract",
            "naming": "Parameter",
            "console": "Complete",
            "parameters": {
                "profile": "Common",
                "include": ["instancetype.name", "template.spec.volumes[0].**", "template.metadata.annotations[a.b/c]"],
                "exclude": ["*", "**", "template.spec.networks[*].**"],
            },
        }
    },
    "template metadata": LONG_FORM
    | {
        "templateMetadata": {
            "labels": {"team": "web", "example.com/empty": ""},
            "annotations": {"description": "Web server", "template.kubevirt.io/provider": "us"},
        }
    },
    "a requester": SHORT_FORM
    | {"requester": {"username": "alice", "uid": "1", "groups": ["a"] * 5000, "extra": {"k": ["v"]}}},
    "one option": LONG_FORM | {"options": {"secrets": "Require"}},
    "no option": LONG_FORM | {"options": {}},
    "null where a default goes": SHORT_FORM | {"options": None, "refreshPolicy": None},
    "null in place of the other form": SHORT_FORM | {"source": None, "target": None},
}

USE_ONE_FORM = "spec: Invalid value: use one form: keep source and target and remove vmName, templateName and format, or the other way round"
SAY_ALL = "spec: Invalid value: name the virtual machine and the target: write source: {vmName: NAME} and target: {openshiftTemplate: {}}, or vmName: NAME alone"
SAY_TARGET = "spec.target: Required value: target is missing: write target: {openshiftTemplate: {}} or target: {virtualMachineTemplate: {}}"
SAY_SOURCE = "spec.source: Required value: name the virtual machine: write source: {vmName: NAME}"
SAY_VM_NAME = "spec.vmName: Required value: name the virtual machine: write vmName: NAME"
ONE_FORMAT = "spec.target: Invalid value: write exactly one format and nothing else: openshiftTemplate: {} or virtualMachineTemplate: {}"
NO_TTL = "spec.ttlSecondsAfterFinished: Forbidden: a request with refreshPolicy OnChange is never finished: remove ttlSecondsAfterFinished, or write refreshPolicy: Once"


COMPLETE = {"options": {"console": "Complete"}}
NO_COMPLETE = "spec.options.console: Forbidden: console: Complete is for the OpenShift format only: remove it, or write target: {openshiftTemplate: {}}"
A_PATTERN = "write a path below the virtual machine's spec, such as template.spec.domain.cpu.cores, template.spec.volumes[0].** or instancetype.name"
RESERVED = (
    "template.kubevirt.io/type and keys with the prefix ssp.kubevirt.io/ are reserved for the controller: remove them"
)


BAD: dict[str, tuple[Any, list[str]]] = {
    # the two forms
    "no spec": (None, ["spec: Required value"]),
    "a spec that is a list": ([], ['spec: Invalid value: "array": spec in body must be of type object: "array"']),
    "an empty spec": ({}, [SAY_ALL]),
    "a spec that names no VM": ({"refreshPolicy": "Once"}, [SAY_ALL]),
    "a spec of unknown fields": ({"vm": "fedora"}, [SAY_ALL]),
    "both forms": (LONG_FORM | SHORT_FORM, [USE_ONE_FORM]),
    "source, target and vmName": (LONG_FORM | {"vmName": "fedora"}, [USE_ONE_FORM]),
    "source, target and templateName": (LONG_FORM | {"templateName": "fedora"}, [USE_ONE_FORM]),
    "source, target and format": (LONG_FORM | {"format": "template.openshift.io/v1"}, [USE_ONE_FORM]),
    "source and vmName": ({"source": {"vmName": "fedora"}, "vmName": "fedora"}, [USE_ONE_FORM]),
    "target and vmName": ({"target": {"openshiftTemplate": {}}, "vmName": "fedora"}, [USE_ONE_FORM]),
    "source and format": (
        {"source": {"vmName": "fedora"}, "format": "template.openshift.io/v1"},
        [SAY_TARGET, USE_ONE_FORM],
    ),
    "target and templateName": (
        {"target": {"openshiftTemplate": {}}, "templateName": "fedora"},
        [SAY_SOURCE, USE_ONE_FORM],
    ),
    "a source without a target": ({"source": {"vmName": "fedora"}}, [SAY_TARGET]),
    "a target without a source": ({"target": {"openshiftTemplate": {}}}, [SAY_SOURCE]),
    "a templateName without a vmName": ({"templateName": "fedora"}, [SAY_VM_NAME]),
    "a format without a vmName": ({"format": "template.openshift.io/v1"}, [SAY_VM_NAME]),
    # the target's formats
    "a target without a format": (target(), [ONE_FORMAT]),
    "an unknown format": (target(helmChart={}), [ONE_FORMAT]),
    "a format misspelt": (target(openShiftTemplate={}), [ONE_FORMAT]),
    "two formats": (target(openshiftTemplate={}, virtualMachineTemplate={}), [ONE_FORMAT]),
    "a format and an unknown one": (target(openshiftTemplate={}, helmChart={}), [ONE_FORMAT]),
    "a format and an unknown field": (target(virtualMachineTemplate={}, name="fedora"), [ONE_FORMAT]),
    "null for a format": (target(openshiftTemplate=None), [ONE_FORMAT]),
    "a target that is text": (
        LONG_FORM | {"target": "openshiftTemplate"},
        ['spec.target: Invalid value: "string": spec.target in body must be of type object: "string"'],
    ),
    "a format that is text": (
        target(openshiftTemplate="fedora"),
        [
            'spec.target.openshiftTemplate: Invalid value: "string": spec.target.openshiftTemplate in body must be of type object: "string"'
        ],
    ),
    "an unknown format in the short form": (
        SHORT_FORM | {"format": "helm.sh/v3"},
        [
            'spec.format: Unsupported value: "helm.sh/v3": supported values: "template.openshift.io/v1", "template.kubevirt.io/v1beta1"'
        ],
    ),
    "a short format of another version": (
        SHORT_FORM | {"format": "template.kubevirt.io/v1alpha1"},
        [
            'spec.format: Unsupported value: "template.kubevirt.io/v1alpha1": supported values: "template.openshift.io/v1", "template.kubevirt.io/v1beta1"'
        ],
    ),
    "an empty short format": (
        SHORT_FORM | {"format": ""},
        [
            'spec.format: Unsupported value: "": supported values: "template.openshift.io/v1", "template.kubevirt.io/v1beta1"'
        ],
    ),
    # refreshPolicy and TTL
    "an unknown refreshPolicy": (
        SHORT_FORM | {"refreshPolicy": "Always"},
        ['spec.refreshPolicy: Unsupported value: "Always": supported values: "Once", "OnChange"'],
    ),
    "a TTL with OnChange": (LONG_FORM | {"refreshPolicy": "OnChange", "ttlSecondsAfterFinished": 60}, [NO_TTL]),
    "a TTL with OnChange in the short form": (
        SHORT_FORM | {"refreshPolicy": "OnChange", "ttlSecondsAfterFinished": 0},
        [NO_TTL],
    ),
    "a TTL below 0": (
        SHORT_FORM | {"ttlSecondsAfterFinished": -1},
        [
            "spec.ttlSecondsAfterFinished: Invalid value: -1: spec.ttlSecondsAfterFinished in body should be greater than or equal to 0"
        ],
    ),
    "a TTL of more than 68 years": (
        SHORT_FORM | {"ttlSecondsAfterFinished": 2147483648},
        [
            "spec.ttlSecondsAfterFinished: Invalid value: 2147483648: spec.ttlSecondsAfterFinished in body should be less than or equal to 2147483647"
        ],
    ),
    "a TTL that is text": (
        SHORT_FORM | {"ttlSecondsAfterFinished": "1h"},
        [
            'spec.ttlSecondsAfterFinished: Invalid value: "string": spec.ttlSecondsAfterFinished in body must be of type integer: "string"'
        ],
    ),
    # options
    "an unknown identity": (
        SHORT_FORM | {"options": {"identity": "fresh"}},
        ['spec.options.identity: Unsupported value: "fresh": supported values: "Fresh", "Preserve"'],
    ),
    "data volumes that are shared": (
        SHORT_FORM | {"options": {"dataVolumes": "Shared"}},
        ['spec.options.dataVolumes: Unsupported value: "Shared": supported values: "Preserve", "Unique"'],
    ),
    "secrets that are dropped": (
        LONG_FORM | {"options": {"secrets": "Drop"}},
        ['spec.options.secrets: Unsupported value: "Drop": supported values: "Preserve", "Require", "Extract"'],
    ),
    "an unknown naming": (
        SHORT_FORM | {"options": {"naming": "Fixed"}},
        ['spec.options.naming: Unsupported value: "Fixed": supported values: "Generate", "Parameter"'],
    ),
    "Complete with an explicit Generate": (
        SHORT_FORM | {"options": {"console": "Complete", "naming": "Generate"}},
        ["spec.options.naming: Forbidden: console: Complete requires naming: Parameter: write that, or remove naming"],
    ),
    "Complete with the native target": (target(virtualMachineTemplate={}) | COMPLETE, [NO_COMPLETE]),
    "Complete with the native short format": (
        SHORT_FORM | {"format": "template.kubevirt.io/v1beta1"} | COMPLETE,
        [NO_COMPLETE],
    ),
    "an unknown profile": (
        LONG_FORM | {"options": {"parameters": {"profile": "Most"}}},
        ['spec.options.parameters.profile: Unsupported value: "Most": supported values: "All", "Common", "None"'],
    ),
    "a malformed pattern": (
        LONG_FORM | {"options": {"parameters": {"include": ["a.b", "a..b"]}}},
        [f'spec.options.parameters.include[1]: Invalid value: "a..b": {A_PATTERN}'],
    ),
    "an unclosed index": (
        LONG_FORM | {"options": {"parameters": {"exclude": ["a["]}}},
        [f'spec.options.parameters.exclude[0]: Invalid value: "a[": {A_PATTERN}'],
    ),
    "a reserved label": (
        SHORT_FORM | {"templateMetadata": {"labels": {"ssp.kubevirt.io/request-uid": "1"}}},
        [f"spec.templateMetadata.labels: Forbidden: {RESERVED}"],
    ),
    "a reserved annotation": (
        SHORT_FORM | {"templateMetadata": {"annotations": {"template.kubevirt.io/type": "vm"}}},
        [f"spec.templateMetadata.annotations: Forbidden: {RESERVED}"],
    ),
    "a key that is not valid": (
        SHORT_FORM | {"templateMetadata": {"annotations": {"a b": ""}}},
        [
            "spec.templateMetadata.annotations: Invalid value: write keys with an optional DNS name and '/', then at most 63 letters, digits, '-', '_' and '.', such as team or example.com/team"
        ],
    ),
    "a requester without a name": (SHORT_FORM | {"requester": {}}, ["spec.requester.username: Required value"]),
    "options that are a list": (
        LONG_FORM | {"options": ["Unique"]},
        ['spec.options: Invalid value: "array": spec.options in body must be of type object: "array"'],
    ),
}


@pytest.mark.parametrize("spec", GOOD.values(), ids=GOOD)
async def test_valid_request_is_accepted(spec: dict[str, Any], client: Client) -> None:
    stored = await client.post(COLLECTION, request(spec), dryRun="All", fieldValidation="Strict")
    given = {field: value for field, value in spec.items() if value is not None}
    defaults = {"identity": "Fresh", "dataVolumes": "Preserve", "secrets": "Preserve"}
    # Nothing is filled in but what goes with either form.
    assert stored["spec"] == {"refreshPolicy": "Once"} | given | {"options": defaults | given.get("options", {})}


@pytest.mark.parametrize(("spec", "expected"), BAD.values(), ids=BAD)
async def test_invalid_request_is_rejected_with_a_remedy(spec: Any, expected: list[str], client: Client) -> None:
    with pytest.raises(ApiError) as rejected:
        await client.post(COLLECTION, request(spec), dryRun="All")
    assert rejected.value.status == 422
    assert complaints(rejected.value) == normalized(expected)


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "an option": (SHORT_FORM | {"options": {"identitty": "Preserve"}}, "spec.options.identitty"),
    "a field of the spec": (SHORT_FORM | {"vmNamespace": "team-a"}, "spec.vmNamespace"),
    "a field of the source": (source(namespace="team-a"), "spec.source.namespace"),
    "a field of a target": (target(openshiftTemplate={"names": "a"}), "spec.target.openshiftTemplate.names"),
}


@pytest.mark.parametrize(("spec", "path"), UNKNOWN.values(), ids=UNKNOWN)
async def test_strict_validation_names_an_unknown_field(spec: dict[str, Any], path: str, client: Client) -> None:
    with pytest.raises(ApiError) as rejected:
        await client.post(COLLECTION, request(spec), dryRun="All", fieldValidation="Strict")
    assert rejected.value.status == 400
    assert rejected.value.message.endswith(f'strict decoding error: unknown field "{path}"')


async def test_status_of_a_user_is_dropped(client: Client) -> None:
    given = request(SHORT_FORM) | {"status": {"conditions": [{"type": "Authorized", "status": "True"}]}}
    stored = await client.post(COLLECTION, given, dryRun="All")
    assert stored["status"] == {"observedGeneration": -1}
