"""VMs of real users, in both formats: published, admitted, processed, compared, created again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

import atmpl
from e2e.envtest import ApiError, Client, Server
from e2e.fixtures import discard
from e2e.objects import is_ready, reason
from tests.support.builders import NATIVE_TEMPLATES_API, Object, request, request_path, template_path
from tests.support.shared_data import corpus, needs_shared

pytestmark = [needs_shared, pytest.mark.usefixtures("controller")]

FRESH = {"firmware": ("uuid", "serial"), "chassis": ("serial", "asset")}  # rule 8: what no instance takes over


def read_vm(path: Path, namespace: str) -> Object:
    """Read a VM of the corpus; a nameless one gets a name."""
    vm: Object = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    metadata = vm.setdefault("metadata", {}) or {}
    name = metadata.get("name") or metadata.get("generateName", "nameless-") + "vm"
    vm["metadata"] = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    vm["metadata"] |= {"name": name, "namespace": namespace}
    return vm


def _expected(stored: Object) -> Object:
    """The spec of an instance of the stored VM's template: identities are blank, metadata of data volumes is cut."""
    spec: Object = stored["spec"]
    domain: Object = spec["template"]["spec"]["domain"]
    for interface in domain.get("devices", {}).get("interfaces", []):
        if "macAddress" in interface:
            interface["macAddress"] = ""
    for part, fields in FRESH.items():
        for field in fields:
            if field in domain.get(part, {}):
                domain[part][field] = ""
    if spec["template"]["spec"].get("hostname") == stored["metadata"]["name"]:
        spec["template"]["spec"]["hostname"] = ""
    for reference in ("instancetype", "preference"):
        spec.get(reference, {}).pop("revisionName", None)
    for volume in spec.get("dataVolumeTemplates", []):
        metadata = volume["metadata"]
        volume["metadata"] = {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}
    return spec


@pytest.mark.parametrize("format", ["openshiftTemplate", "virtualMachineTemplate"])
async def test_template_of_a_real_vm_restores_it(server: Server, client: Client, format: str, subtests: Any) -> None:
    async def one(path: Path) -> None:
        made = await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "corpus-"}})
        namespace = made["metadata"]["name"]
        try:
            stored = await client.create(read_vm(path, namespace))
        except ApiError as error:
            refused[path.name] = error.message
            return
        await client.create(request(namespace) | {"spec": _spec(stored, format)})
        await client.until(request_path(namespace), lambda it: reason(it) not in {"", "SourceNotFound"})
        found = await client.get(request_path(namespace))
        with subtests.test(path.name):
            assert is_ready(found), found["status"]
            native = f"{NATIVE_TEMPLATES_API}/namespaces/{namespace}/virtualmachinetemplates/request"
            template = await client.get(template_path(namespace) if format == "openshiftTemplate" else native)
            [instance] = atmpl.process(template)
            again = await client.create(instance | {"metadata": instance["metadata"] | {"namespace": namespace}})
            assert instance["spec"] == _expected(stored)
            assert again["spec"] == instance["spec"]
        await discard(server, client, namespace)
        served.append(path.name)

    refused: dict[str, str] = {}
    served: list[str] = []
    some = asyncio.Semaphore(4)

    async def in_turn(path: Path) -> None:
        async with some:
            await one(path)

    await asyncio.gather(*map(in_turn, corpus()))
    assert len(served) + len(refused) == len(corpus())
    assert list(refused) == ["kv-doc-virtual-machine-myvm.yaml"]  # v1alpha2, which KubeVirt no longer serves


def _spec(stored: Object, format: str) -> Object:
    return {"source": {"vmName": stored["metadata"]["name"]}, "target": {format: {}}}
