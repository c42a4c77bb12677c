"""How a request looks to a person with kubectl, and what its status may hold, on the real API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.envtest import ApiError, Client, Server
from tests.support.crd_requests import LONG_FORM, complaints, normalized, request

CRD = Path(__file__).parents[3] / "config/crd/virtualmachinetemplaterequests.ssp.kubevirt.io.yaml"

DESIGN_EXAMPLE = """\
apiVersion: ssp.kubevirt.io/v1alpha1
kind: VirtualMachineTemplateRequest
metadata:
  name: virtualmachinetemplaterequest-sample
spec:
  vmName: vmi-ephemeral
  templateName: vmi-ephemeral-template
  format: template.openshift.io/v1
"""


@pytest.fixture(scope="module")
def server(undisturbed: Server) -> Server:
    """The statuses here are the tests' own: no controller is to write another one over them."""
    return undisturbed


STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Rendered",
            "message": "the template is there",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-24T05:00:00Z",
        },
        {
            "type": "example.com/Approved",
            "status": "True",
            "reason": "ByHand",
            "message": "m" * 32_768,
            "lastTransitionTime": "2026-11-24T05:00:00Z",
        },
    ],
    "source": {"namespace": "team-a", "name": "vmi-ephemeral", "uid": "6a1f", "generation": 3, "resourceVersion": "77"},
    "templateRef": {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "name": "vmi-ephemeral-template",
        "uid": "7b2e",
    },
    "parameterCount": 3,
    "warnings": [
        {"reason": "SharedDataVolumes", "message": "a sentence", "path": "spec.dataVolumeTemplates[0]"},
        {"reason": "SourceGone", "message": "a sentence"},
    ],
    "omitted": [{"reason": "Tracking", "path": "metadata.labels[app.kubernetes.io/instance]"}],
    "lastRenderTime": "2026-11-24T05:00:00Z",
    "completionTime": "2026-11-24T05:00:00Z",
    "refused": {"digest": "00ff"},
    "rendered": {"digest": "00ff", "templateResourceVersion": "78"},
}


def collection(namespace: str) -> str:
    return f"/apis/ssp.kubevirt.io/v1alpha1/namespaces/{namespace}/virtualmachinetemplaterequests"


async def create_request(
    client: Client, namespace: str, name: str, spec: dict[str, Any], status: Any = None
) -> dict[str, Any]:
    made = await client.post(collection(namespace), request(spec, name=name))
    if status is None:
        return made
    path = f"{collection(namespace)}/{name}/status"
    return await client.put(path, made | {"status": status}, fieldValidation="Strict")


async def test_design_example_is_accepted(server: Server, client: Client, namespace: str) -> None:
    server.kubectl("create", "--namespace", namespace, "--filename", "-", input=DESIGN_EXAMPLE)
    stored = await client.get(f"{collection(namespace)}/virtualmachinetemplaterequest-sample")
    assert stored["spec"].items() >= yaml.safe_load(DESIGN_EXAMPLE)["spec"].items()
    assert not stored["spec"].keys() & {"source", "target"}


async def test_get_shows_source_template_ready_reason_and_age(server: Server, client: Client, namespace: str) -> None:
    await create_request(client, namespace, "a-short-one", yaml.safe_load(DESIGN_EXAMPLE)["spec"], STATUS)
    waiting = STATUS["conditions"][0] | {"status": "False", "reason": "SourceNotFound"}
    await create_request(
        client,
        namespace,
        "b-long-one",
        LONG_FORM,
        {"conditions": [waiting], "source": {"namespace": "team-a", "name": "vm-ephemeral"}},
    )
    await create_request(client, namespace, "c-new-one", {"vmName": "fedora"})
    rows = [line.split() for line in server.kubectl("get", "vmtreq", "--namespace", namespace).splitlines()]
    assert rows[0] == ["NAME", "SOURCE", "TEMPLATE", "READY", "REASON", "AGE"]
    assert [row[:-1] for row in rows[1:]] == [
        ["a-short-one", "vmi-ephemeral", "vmi-ephemeral-template", "True", "Rendered"],
        ["b-long-one", "vm-ephemeral", "False", "SourceNotFound"],  # no template yet
        ["c-new-one"],
    ]


async def test_wide_output_shows_namespace_format_and_message(server: Server, client: Client, namespace: str) -> None:
    await create_request(client, namespace, "mine", LONG_FORM, STATUS)
    [header, row] = server.kubectl("get", "vmtreq", "--namespace", namespace, "--output", "wide").splitlines()
    for column, value in (("SOURCE NAMESPACE", "team-a"), ("FORMAT", "Template"), ("MESSAGE", "the template is there")):
        assert row[header.index(column) :].startswith(value)


async def test_wait_returns_once_ready_is_true(server: Server, client: Client, namespace: str) -> None:
    await create_request(client, namespace, "mine", LONG_FORM, STATUS)
    waited = server.kubectl("wait", "--for=condition=Ready", "--timeout=10s", "--namespace", namespace, "vmtreq/mine")
    assert waited == "virtualmachinetemplaterequest.ssp.kubevirt.io/mine condition met\n"


async def test_status_has_all_fields_of_the_design(client: Client, namespace: str) -> None:
    stored = await create_request(client, namespace, "mine", LONG_FORM, STATUS)
    assert stored["status"] == STATUS
    assert stored["metadata"]["generation"] == 1  # a status is not a change of the spec


BAD_STATUS: dict[str, tuple[dict[str, Any], str]] = {
    "a message of 32,769 characters": (
        {"conditions": [STATUS["conditions"][0] | {"message": "x" * 32_769}]},
        "status.conditions[0].message: Too long: may not be more than 32768 bytes",
    ),
    "two conditions of one type": (
        {"conditions": [STATUS["conditions"][0], STATUS["conditions"][0]]},
        'status.conditions[1]: Duplicate value: {"type":"Ready"}',
    ),
    "a condition that is neither true, false nor unknown": (
        {"conditions": [STATUS["conditions"][0] | {"status": "true"}]},
        'status.conditions[0].status: Unsupported value: "true": supported values: "True", "False", "Unknown"',
    ),
    "101 warnings": (
        {"warnings": [STATUS["warnings"][1]] * 101},
        "status.warnings: Too many: 101: must have at most 100 items",
    ),
}


@pytest.mark.parametrize(("status", "expected"), BAD_STATUS.values(), ids=BAD_STATUS)
async def test_status_beyond_its_limits_is_rejected(
    status: dict[str, Any], expected: str, client: Client, namespace: str
) -> None:
    with pytest.raises(ApiError) as rejected:
        await create_request(client, namespace, "mine", LONG_FORM, status)
    assert complaints(rejected.value) == normalized([expected])


def objects(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below `schema`, and its path as kubectl explain takes it."""
    for name, field in schema.get("properties", {}).items():
        if path == "vmtreq" and name == "metadata":
            continue
        yield f"{path}.{name}", field
        yield from objects(field.get("items", field), f"{path}.{name}")


SCHEMA = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
FIELDS = dict(objects(SCHEMA, "vmtreq"))


def test_every_field_has_a_description() -> None:
    assert [path for path, field in FIELDS.items() if not field.get("description", "").strip()] == []


def test_every_text_and_list_has_a_limit() -> None:
    # The API server's own, and the requester's: a user cannot change the number of their groups.
    free = {"vmtreq.apiVersion", "vmtreq.kind", *(path for path in FIELDS if path.startswith("vmtreq.spec.requester."))}
    limited = {"maxLength", "enum", "maxItems"}
    texts = {p: f for p, f in FIELDS.items() if f["type"] in {"string", "array"} and f.get("format") != "date-time"}
    assert [path for path, field in texts.items() if path not in free and not field.keys() & limited] == []


def test_every_enum_says_that_more_values_can_come() -> None:
    # True, False and Unknown are Kubernetes' own
    enums = {path: field for path, field in FIELDS.items() if "enum" in field and path.startswith("vmtreq.spec.")}
    assert [path for path, field in enums.items() if "Later versions can have more" not in field["description"]] == []
    reasons = [path for path in FIELDS if path.endswith((".reason", ".conditions.type"))]
    assert [path for path in reasons if "Later versions can have more" not in FIELDS[path]["description"]] == []


def test_every_enum_names_its_default() -> None:
    """kubectl explain does not show the defaults of the schema."""
    enums = {path: field for path, field in FIELDS.items() if "enum" in field and path.startswith("vmtreq.spec.")}
    assert [path for path, field in enums.items() if "default" not in field["description"].lower()] == []


def test_forms_have_no_defaults() -> None:
    assert {path: field["default"] for path, field in FIELDS.items() if "default" in field} == {
        "vmtreq.spec.refreshPolicy": "Once",
        "vmtreq.spec.options": {},
        "vmtreq.spec.options.identity": "Fresh",
        "vmtreq.spec.options.dataVolumes": "Preserve",
        "vmtreq.spec.options.secrets": "Preserve",
        "vmtreq.status": {"observedGeneration": -1},
    }


@pytest.mark.parametrize(
    "path", ["vmtreq", "vmtreq.spec", "vmtreq.spec.options", "vmtreq.spec.target", "vmtreq.status"]
)
def test_explain_shows_the_descriptions(path: str, server: Server) -> None:
    shown = " ".join(server.kubectl("explain", path).split())
    for field, schema in FIELDS.items():
        if field.rpartition(".")[0] == path and path != "vmtreq":
            assert f"{field.rpartition('.')[2]} <" in shown
            assert " ".join(schema["description"].split()) in shown
    described = SCHEMA if path == "vmtreq" else FIELDS[path]
    assert " ".join(described["description"].split()) in shown
