"""The largest, longest and most unusual VMs and requests that the API server accepts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import atmpl
from e2e.envtest import ApiError, Client, ControlPlane, Server
from e2e.objects import condition, is_ready, reason
from tests.support.builders import NATIVE_TEMPLATES_API, Object, request, request_path, template_path, vm, vm_path

pytestmark = pytest.mark.usefixtures("controller")

Create = Callable[[Object], Awaitable[Object]]

LONGEST = ".".join(["n" * 63] * 3 + ["n" * 61])  # of names: 253 characters
STORED = 1_048_576  # bytes that a template may take
SET_BY_SERVER = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
DEEP = 5_000  # levels; the API server takes 10,000


def _annotated(namespace: str, *, name: str = "vm", **annotations: Any) -> Object:
    """A VM with annotations where KubeVirt keeps all of them: those of its instances."""
    posted = vm(namespace, name)
    posted["spec"]["template"]["metadata"] = {"annotations": annotations}
    return posted


@pytest.fixture
def create(server: Server, client: Client) -> Create:
    """Create a VM. A user's own cluster can have a webhook that refuses it; then skip the test."""

    async def create(posted: Object) -> Object:
        try:
            return await client.create(posted)
        except ApiError as error:
            if isinstance(server, ControlPlane):
                raise
            pytest.skip(f"this cluster admits no such VM: {error.message[:300]}")

    return create


def _nested(levels: int) -> str:
    """JSON that deep, the string of a VM's field."""
    return "[" * levels + "]" * levels


ODD = {
    "text beyond the first plane, right to left, joined and combined": "💾 שלום עולم \u200d\u0301e\u202e",
    "a zero byte and other control characters": "\x00\x01\x1f\x7f\u0085",
    "what JavaScript takes for line ends": "\u2028\u2029",
    "what Go's JSON escapes": "<script>&amp;</script>",
    "a reference, in all forms": "${A} ${{A}} $${A} ${LABELS} ${{LITERAL0}}",
    "a number that is text": "1e400",
    "JSON, deep": _nested(150),
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
async def test_unusual_text_is_restored(client: Client, namespace: str, create: Create, text: str) -> None:
    posted = _annotated(namespace, odd=text)
    volumes = posted["spec"]["template"]["spec"]["volumes"]
    volumes.append({"name": "ci", "cloudInitNoCloud": {"userData": text}})
    stored = await create(posted)
    await client.create(request(namespace))
    await client.until(request_path(namespace), is_ready)
    [instance] = atmpl.process(await client.get(template_path(namespace)))
    again = await client.create(instance | {"metadata": instance["metadata"] | {"namespace": namespace}})
    assert again["spec"] == stored["spec"]
    assert again["spec"]["template"]["spec"]["volumes"][-1]["cloudInitNoCloud"]["userData"] == text


@pytest.mark.parametrize("format", ["openshiftTemplate", "virtualMachineTemplate"])
async def test_longest_names_are_served(client: Client, namespace: str, create: Create, format: str) -> None:
    await create(vm(namespace, LONGEST, labels={"l" * 63: "v" * 63}))
    posted = request(namespace, LONGEST, source=LONGEST)
    posted["spec"]["target"] = {format: {"name": LONGEST}}
    await client.create(posted)
    found = await client.until(request_path(namespace, LONGEST), lambda it: reason(it) != "")
    assert reason(found) == "Rendered", condition(found)
    native = f"{NATIVE_TEMPLATES_API}/namespaces/{namespace}/virtualmachinetemplates/{LONGEST}"
    template = await client.get(template_path(namespace, LONGEST) if format == "openshiftTemplate" else native)
    assert template["metadata"]["name"] == LONGEST
    [instance] = atmpl.process(template)
    again = await client.create(instance | {"metadata": instance["metadata"] | {"namespace": namespace}})
    assert again["metadata"]["name"].startswith("n" * 50)


async def test_size_limit_is_exact(client: Client, namespace: str, create: Create) -> None:
    await create(_annotated(namespace, filler="x"))
    await client.create(request(namespace, "first"))
    await client.until(request_path(namespace, "first"), is_ready)
    template = await client.get(template_path(namespace, "first"))
    written = {key: value for key, value in template["metadata"].items() if key not in SET_BY_SERVER}
    size = len(json.dumps(template | {"metadata": written}, separators=(",", ":")))
    filler = "x" * (STORED - size + 1)
    await client.patch(vm_path(namespace), _filler(filler + "x"))
    await client.create(request(namespace, "other"))  # a name of the same length: a template of the same size
    await client.until(request_path(namespace, "other"), lambda it: reason(it) == "TooLarge")
    await client.patch(vm_path(namespace), _filler(filler))
    await client.until(request_path(namespace, "other"), is_ready)


def _filler(text: str) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": {"filler": text}}}}}


async def test_too_deep_vm_is_rejected_with_its_path(server: Server, client: Client, namespace: str) -> None:
    posted = vm(namespace)
    posted["spec"]["template"]["metadata"] = {"deep": "DEEP"}
    text = json.dumps(posted).replace('"DEEP"', '{"d":' * DEEP + "0" + "}" * DEEP)
    place = vm_path(namespace).rpartition("/")[0]
    await asyncio.to_thread(server.kubectl, "create", "--raw", place, "--filename=-", input=text)
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), lambda it: reason(it) == "InvalidSource")
    assert "deep" in condition(found)["message"]
    assert condition(found, "Stalled")["status"] == "True"


async def test_invalid_annotations_are_named(client: Client, namespace: str, create: Create) -> None:
    """All annotations of an object may have 262,144 bytes; a template copies one of its VM's and adds its own."""
    full = {"vm.kubevirt.io/validations": json.dumps(["v" * 262_000])}
    await create(vm(namespace, annotations=full))
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), lambda it: reason(it) != "")
    assert "metadata.annotations" in condition(found)["message"]
    await client.patch(vm_path(namespace), {"metadata": {"annotations": None}})
    await client.until(request_path(namespace), is_ready)


async def test_largest_request_is_served(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    posted = request(namespace, refreshPolicy="Once", ttlSecondsAfterFinished=2_147_483_647)
    posted["metadata"]["annotations"] = {"a": "x" * 262_143}
    posted["metadata"]["labels"] = {f"label-{number}": "v" * 63 for number in range(1_000)}
    posted["metadata"]["finalizers"] = [f"example.com/{number}" for number in range(100)]
    await client.create(posted)
    await client.until(request_path(namespace), is_ready)
    await client.patch(request_path(namespace), {"metadata": {"finalizers": None}})
