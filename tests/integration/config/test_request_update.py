"""What may be changed in a request once it exists, on the real API server."""

from typing import Any

import pytest

from e2e.envtest import ApiError, Client
from tests.support.crd_requests import COLLECTION, LONG_FORM, SHORT_FORM, complaints, normalized, request

ON_CHANGE = {"refreshPolicy": "OnChange"}
Specs = tuple[dict[str, Any], dict[str, Any]]  # before, after

GOOD: dict[str, Specs] = {
    "nothing": (LONG_FORM, LONG_FORM),
    "a default written out": (SHORT_FORM, SHORT_FORM | {"refreshPolicy": "Once", "options": {"identity": "Fresh"}}),
    "a default left out": (SHORT_FORM | {"options": {"identity": "Fresh"}, "refreshPolicy": "Once"}, SHORT_FORM),
    "a TTL added": (LONG_FORM, LONG_FORM | {"ttlSecondsAfterFinished": 60}),
    "a TTL changed": (SHORT_FORM | {"ttlSecondsAfterFinished": 60}, SHORT_FORM | {"ttlSecondsAfterFinished": 3600}),
    "a TTL removed": (SHORT_FORM | {"ttlSecondsAfterFinished": 60}, SHORT_FORM),
    "OnChange to Once": (LONG_FORM | ON_CHANGE, LONG_FORM | {"refreshPolicy": "Once"}),
    "OnChange to the default": (SHORT_FORM | ON_CHANGE, SHORT_FORM),
    "OnChange to Once, with a TTL": (SHORT_FORM | ON_CHANGE, SHORT_FORM | {"ttlSecondsAfterFinished": 60}),
}


def fixed(field: str, other: str) -> str:
    return (
        f"spec.{field}: Forbidden: {field} cannot change: put it back as it was, and create another request for {other}"
    )


SOURCE = fixed("source", "another virtual machine")
TARGET = fixed("target", "another template")
VM_NAME = fixed("vmName", "another virtual machine")
TEMPLATE_NAME = fixed("templateName", "another template")
FORMAT = fixed("format", "another format")
OPTIONS = "spec.options: Forbidden: options cannot change: put them back as they were, and create another request for other options"
METADATA = "spec.templateMetadata: Forbidden: templateMetadata cannot change: put it back as it was, and label or annotate the template itself"
REQUESTER = "spec.requester: Forbidden: requester cannot change: the cluster wrote it when the request was created; put it back as it was"
ALICE = SHORT_FORM | {"requester": {"username": "alice"}}
ONCE = "spec.refreshPolicy: Forbidden: refreshPolicy can only go from OnChange to Once: put Once back, and create another request with refreshPolicy: OnChange"
NO_TTL = "spec.ttlSecondsAfterFinished: Forbidden: a request with refreshPolicy OnChange is never finished: remove ttlSecondsAfterFinished, or write refreshPolicy: Once"

BAD: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "another VM": (LONG_FORM, LONG_FORM | {"source": {"vmName": "other", "vmNamespace": "team-a"}}, [SOURCE]),
    "another namespace": (
        LONG_FORM,
        LONG_FORM | {"source": {"vmName": "vm-ephemeral", "vmNamespace": "team-b"}},
        [SOURCE],
    ),
    "no namespace any more": (LONG_FORM, LONG_FORM | {"source": {"vmName": "vm-ephemeral"}}, [SOURCE]),
    "a namespace where there was none": (
        LONG_FORM | {"source": {"vmName": "vm-ephemeral"}},
        LONG_FORM,
        [SOURCE],
    ),
    "another template": (LONG_FORM, LONG_FORM | {"target": {"openshiftTemplate": {"name": "other"}}}, [TARGET]),
    "the template's name left to its default": (LONG_FORM, LONG_FORM | {"target": {"openshiftTemplate": {}}}, [TARGET]),
    "another target": (
        LONG_FORM,
        LONG_FORM | {"target": {"virtualMachineTemplate": {"name": "vm-ephemeral-template"}}},
        [TARGET],
    ),
    "another VM in the short form": (SHORT_FORM, SHORT_FORM | {"vmName": "other"}, [VM_NAME]),
    "another template in the short form": (SHORT_FORM, SHORT_FORM | {"templateName": "other"}, [TEMPLATE_NAME]),
    "another format in the short form": (SHORT_FORM, SHORT_FORM | {"format": "template.kubevirt.io/v1beta1"}, [FORMAT]),
    "a format where there was none": ({"vmName": "a"}, {"vmName": "a", "format": "template.openshift.io/v1"}, [FORMAT]),
    "a templateName where there was none": ({"vmName": "a"}, {"vmName": "a", "templateName": "a"}, [TEMPLATE_NAME]),
    "templateName and format left out": (SHORT_FORM, {"vmName": "vm-ephemeral"}, [FORMAT, TEMPLATE_NAME]),
    "source and target to the short form": (LONG_FORM, SHORT_FORM, [FORMAT, SOURCE, TARGET, TEMPLATE_NAME, VM_NAME]),
    "source and target to another VM in the short form": (
        LONG_FORM,
        {"vmName": "other"},
        [SOURCE, TARGET, VM_NAME],
    ),
    "the short form to source and target": (SHORT_FORM, LONG_FORM, [FORMAT, SOURCE, TARGET, TEMPLATE_NAME, VM_NAME]),
    "the short form to another VM in another namespace": (
        {"vmName": "mine"},
        {"source": {"vmName": "yours", "vmNamespace": "team-b"}, "target": {"openshiftTemplate": {}}},
        [SOURCE, TARGET, VM_NAME],
    ),
    "other template metadata": (
        LONG_FORM | {"templateMetadata": {"labels": {"a": "b"}}},
        LONG_FORM | {"templateMetadata": {"labels": {"a": "c"}}},
        [METADATA],
    ),
    "template metadata removed": (SHORT_FORM | {"templateMetadata": {"labels": {"a": "b"}}}, SHORT_FORM, [METADATA]),
    "another requester": (ALICE, ALICE | {"requester": {"username": "bob"}}, [REQUESTER]),
    "a requester removed": (ALICE, SHORT_FORM, [REQUESTER]),
    "a requester added": (SHORT_FORM, ALICE, [REQUESTER]),
    "another naming": (SHORT_FORM, SHORT_FORM | {"options": {"naming": "Parameter"}}, [OPTIONS]),
    "another identity": (SHORT_FORM, SHORT_FORM | {"options": {"identity": "Preserve"}}, [OPTIONS]),
    "other data volumes": (LONG_FORM, LONG_FORM | {"options": {"dataVolumes": "Unique"}}, [OPTIONS]),
    "secrets no longer required": (SHORT_FORM | {"options": {"secrets": "Require"}}, SHORT_FORM, [OPTIONS]),
    "options left out": (LONG_FORM | {"options": {"identity": "Preserve"}}, LONG_FORM, [OPTIONS]),
    "Once to OnChange": (LONG_FORM, LONG_FORM | ON_CHANGE, [ONCE]),
    "Once to OnChange in the short form": (SHORT_FORM, SHORT_FORM | ON_CHANGE, [ONCE]),
    "Once with a TTL to OnChange": (
        SHORT_FORM | {"ttlSecondsAfterFinished": 60},
        SHORT_FORM | ON_CHANGE | {"ttlSecondsAfterFinished": 60},
        [ONCE, NO_TTL],
    ),
    "a TTL added under OnChange": (
        SHORT_FORM | ON_CHANGE,
        SHORT_FORM | ON_CHANGE | {"ttlSecondsAfterFinished": 60},
        [NO_TTL],
    ),
}


async def change(client: Client, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Create a request and try to replace it, as `kubectl replace` and `kubectl edit` do; leave nothing behind."""
    created = await client.post(COLLECTION, request(before))
    path = f"{COLLECTION}/{created['metadata']['name']}"
    try:
        while True:
            try:
                return await client.put(path, request(after, **created["metadata"]))
            except ApiError as error:
                if error.status != 409:  # the controller's status came between
                    raise
            created = await client.get(path)
    finally:
        await client.delete(path)


@pytest.mark.parametrize(("before", "after"), GOOD.values(), ids=GOOD)
async def test_mutable_fields_can_change(before: dict[str, Any], after: dict[str, Any], client: Client) -> None:
    changed = await change(client, before, after)
    assert changed["spec"].get("ttlSecondsAfterFinished") == after.get("ttlSecondsAfterFinished")
    assert changed["spec"]["refreshPolicy"] == after.get("refreshPolicy", "Once")


@pytest.mark.parametrize(("before", "after", "expected"), BAD.values(), ids=BAD)
async def test_immutable_fields_cannot_change(
    before: dict[str, Any], after: dict[str, Any], expected: list[str], client: Client
) -> None:
    with pytest.raises(ApiError) as rejected:
        await change(client, before, after)
    assert rejected.value.status == 422
    assert complaints(rejected.value) == normalized(expected)


PATCHES: dict[str, tuple[dict[str, Any], str, Any, list[str]]] = {  # before, kind of patch, patch, complaints
    "a merge patch that drops source and target and names a VM": (
        LONG_FORM,
        "merge",
        {"spec": {"source": None, "target": None, "vmName": "other"}},
        [SOURCE, TARGET, VM_NAME],
    ),
    "a JSON patch that drops the target's name": (
        LONG_FORM,
        "json",
        [{"op": "remove", "path": "/spec/target/openshiftTemplate/name"}],
        [TARGET],
    ),
    "a merge patch that adds an unknown format": (
        LONG_FORM,
        "merge",
        {"spec": {"target": {"helmChart": {}}}},
        [
            "spec.target: Invalid value: write exactly one format and nothing else: openshiftTemplate: {} or virtualMachineTemplate: {}",
            TARGET,
        ],
    ),
}


@pytest.mark.parametrize(("before", "kind", "patch", "expected"), PATCHES.values(), ids=PATCHES)
async def test_no_patch_gets_round_it(
    before: dict[str, Any], kind: str, patch: Any, expected: list[str], client: Client
) -> None:
    created = await client.post(COLLECTION, request(before))
    path = f"{COLLECTION}/{created['metadata']['name']}"
    try:
        with pytest.raises(ApiError) as rejected:
            await client.patch(path, patch, kind)
    finally:
        await client.delete(path)
    assert complaints(rejected.value) == normalized(expected)
