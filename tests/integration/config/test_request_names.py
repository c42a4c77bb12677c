"""What the request's schema takes for a name, on the real API server."""

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

NAME = "write a name of lower case letters, digits, '-' and '.', each part beginning and ending with a letter or a digit, such as fedora-1"
NAMESPACE = "write a namespace of lower case letters, digits and '-', beginning and ending with a letter or a digit, such as team-a"

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a source without its VM's name": (
        LONG_FORM | {"source": {"vmNamespace": "team-a"}},
        ["spec.source.vmName: Required value"],
    ),
    "a source that is text": (
        LONG_FORM | {"source": "fedora"},
        ['spec.source: Invalid value: "string": spec.source in body must be of type object: "string"'],
    ),
    "an empty VM name": (
        source(vmName=""),
        [
            f'spec.source.vmName: Invalid value: "": {NAME}',
            'spec.source.vmName: Invalid value: "": spec.source.vmName in body should be at least 1 chars long',
        ],
    ),
    "an empty VM name in the short form": (
        SHORT_FORM | {"vmName": ""},
        [
            'spec.vmName: Invalid value: "": spec.vmName in body should be at least 1 chars long',
            f'spec.vmName: Invalid value: "": {NAME}',
        ],
    ),
    "a VM name in capitals": (source(vmName="Fedora"), [f'spec.source.vmName: Invalid value: "Fedora": {NAME}']),
    "a VM name with an underscore": (SHORT_FORM | {"vmName": "a_b"}, [f'spec.vmName: Invalid value: "a_b": {NAME}']),
    "a VM name with a slash": (source(vmName="a/b"), [f'spec.source.vmName: Invalid value: "a/b": {NAME}']),
    "a VM name with a line break at its end": (
        source(vmName="fedora\n"),
        [f'spec.source.vmName: Invalid value: "fedora\\n": {NAME}'],
    ),
    "a VM name that begins with a hyphen": (
        SHORT_FORM | {"vmName": "-a"},
        [f'spec.vmName: Invalid value: "-a": {NAME}'],
    ),
    "a VM name that ends with a dot": (source(vmName="a."), [f'spec.source.vmName: Invalid value: "a.": {NAME}']),
    "a VM name with an empty part": (source(vmName="a..b"), [f'spec.source.vmName: Invalid value: "a..b": {NAME}']),
    "a VM name that is a path": (source(vmName=".."), [f'spec.source.vmName: Invalid value: "..": {NAME}']),
    "a VM name with an accent": (source(vmName="fédora"), [f'spec.source.vmName: Invalid value: "fédora": {NAME}']),
    "a VM name of 254 characters": (
        source(vmName="a" * 254),
        ["spec.source.vmName: Too long: may not be more than 253 bytes"],
    ),
    "a VM name that is a number": (
        source(vmName=7),
        ['spec.source.vmName: Invalid value: "integer": spec.source.vmName in body must be of type string: "integer"'],
    ),
    "a namespace with a dot": (
        source(vmNamespace="team.a"),
        [f'spec.source.vmNamespace: Invalid value: "team.a": {NAMESPACE}'],
    ),
    "a namespace in capitals": (
        source(vmNamespace="Team"),
        [f'spec.source.vmNamespace: Invalid value: "Team": {NAMESPACE}'],
    ),
    "a namespace that ends with a hyphen": (
        source(vmNamespace="team-"),
        [f'spec.source.vmNamespace: Invalid value: "team-": {NAMESPACE}'],
    ),
    "an empty namespace": (
        source(vmNamespace=""),
        [
            'spec.source.vmNamespace: Invalid value: "": spec.source.vmNamespace in body should be at least 1 chars long',
            f'spec.source.vmNamespace: Invalid value: "": {NAMESPACE}',
        ],
    ),
    "a namespace of 64 characters": (
        source(vmNamespace="n" * 64),
        ["spec.source.vmNamespace: Too long: may not be more than 63 bytes"],
    ),
    "an OpenShift template's name in capitals": (
        target(openshiftTemplate={"name": "Fedora"}),
        [f'spec.target.openshiftTemplate.name: Invalid value: "Fedora": {NAME}'],
    ),
    "an OpenShift template's name of 254 characters": (
        target(openshiftTemplate={"name": "a" * 254}),
        ["spec.target.openshiftTemplate.name: Too long: may not be more than 253 bytes"],
    ),
    "an OpenShift template's name that is empty": (
        target(openshiftTemplate={"name": ""}),
        [
            'spec.target.openshiftTemplate.name: Invalid value: "": spec.target.openshiftTemplate.name in body should be at least 1 chars long',
            f'spec.target.openshiftTemplate.name: Invalid value: "": {NAME}',
        ],
    ),
    "a native template's name of 254 characters": (
        target(virtualMachineTemplate={"name": "a" * 254}),
        ["spec.target.virtualMachineTemplate.name: Too long: may not be more than 253 bytes"],
    ),
    "a native template's name with a space": (
        target(virtualMachineTemplate={"name": "my fedora"}),
        [f'spec.target.virtualMachineTemplate.name: Invalid value: "my fedora": {NAME}'],
    ),
    "a native template's name that is empty": (
        target(virtualMachineTemplate={"name": ""}),
        [
            'spec.target.virtualMachineTemplate.name: Invalid value: "": spec.target.virtualMachineTemplate.name in body should be at least 1 chars long',
            f'spec.target.virtualMachineTemplate.name: Invalid value: "": {NAME}',
        ],
    ),
    "a templateName with a reference in it": (
        SHORT_FORM | {"templateName": "${NAME}"},
        [f'spec.templateName: Invalid value: "${{NAME}}": {NAME}'],
    ),
    "an empty templateName": (
        SHORT_FORM | {"templateName": ""},
        [
            'spec.templateName: Invalid value: "": spec.templateName in body should be at least 1 chars long',
            f'spec.templateName: Invalid value: "": {NAME}',
        ],
    ),
    "a vmName of 254 characters": (
        SHORT_FORM | {"vmName": "a" * 254},
        ["spec.vmName: Too long: may not be more than 253 bytes"],
    ),
    "a templateName of 254 characters": (
        SHORT_FORM | {"templateName": "a" * 254},
        ["spec.templateName: Too long: may not be more than 253 bytes"],
    ),
}


@pytest.mark.parametrize(("spec", "expected"), BAD.values(), ids=BAD)
async def test_invalid_name_is_rejected_with_the_rule(
    spec: dict[str, Any], expected: list[str], client: Client
) -> None:
    with pytest.raises(ApiError) as rejected:
        await client.post(COLLECTION, request(spec), dryRun="All")
    assert rejected.value.status == 422
    assert complaints(rejected.value) == normalized(expected)
