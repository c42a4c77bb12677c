"""The custom resources that the test server serves: the stand-ins here, or KubeVirt's definitions if they exist."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.envtest import Client, ControlPlane, KubectlError, Server, crds
from e2e.envtest.crds import install_crds

KINDS = {
    "kubevirt.io/v1": "VirtualMachine",
    "template.openshift.io/v1": "Template",
    "template.kubevirt.io/v1beta1": "VirtualMachineTemplate",
    "ssp.kubevirt.io/v1alpha1": "VirtualMachineTemplateRequest",
}

DOMAIN = {"devices": {}, "memory": {"guest": "1Gi"}}


def vm(namespace: str, **spec: object) -> dict:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"runStrategy": "Halted", "template": {"spec": {"domain": DOMAIN}}, **spec},
    }


def template(namespace: str) -> dict:
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {"name": "one", "namespace": namespace},
        "message": "hello",
        "labels": {"a": "b"},
        "objects": [
            {"kind": "VirtualMachine", "metadata": {"labels": "${{LABELS}}"}, "spec": {"anything": [1, None, "x"]}}
        ],
        "parameters": [
            {"name": "LABELS", "value": "{}", "generate": "expression", "from": "[a-z]{5}", "required": True}
        ],
    }


@pytest.mark.parametrize("version", KINDS)
async def test_server_serves_each_kind(version: str, client: Client) -> None:
    collection = await client.collection({"apiVersion": version, "kind": KINDS[version], "metadata": {}})
    assert (await client.get(collection))["kind"] == f"{KINDS[version]}List"


async def test_only_a_spec_change_increases_the_generation(client: Client, namespace: str) -> None:
    made = await client.create(vm(namespace))
    assert made["metadata"]["generation"] == 1
    path = await client.path(made)
    assert (await client.patch(path, {"status": {"ready": True}})).get("status", {}) == {}
    patched = await client.patch(f"{path}/status", {"status": {"ready": True}})
    assert patched["status"]["ready"] is True
    assert patched["metadata"]["generation"] == 1
    assert (await client.patch(path, {"spec": {"runStrategy": "Always"}}))["metadata"]["generation"] == 2


async def test_template_is_stored_unchanged(client: Client, namespace: str) -> None:
    wanted = template(namespace)
    made = await client.create(wanted)
    assert {key: made[key] for key in ("objects", "parameters", "labels", "message")} == {
        key: wanted[key] for key in ("objects", "parameters", "labels", "message")
    }


async def test_unknown_template_fields_are_pruned(client: Client, namespace: str) -> None:
    unknown = template(namespace)
    unknown["parameters"][0]["colour"] = unknown["colour"] = "blue"
    made = await client.create(unknown)
    assert "colour" not in made
    assert "colour" not in made["parameters"][0]


def test_install_crds_updates_only_the_request_crd(
    private_server: Callable[..., ControlPlane],
) -> None:
    server = private_server(controllers=())

    def generation(name: str) -> str:
        return server.kubectl("get", "crd", name, "--output", "jsonpath={.metadata.generation}")

    for name in ("virtualmachines.kubevirt.io", crds.REQUEST.stem):
        change = '[{"op": "replace", "path": "/spec/names/shortNames", "value": ["changed"]}]'
        server.kubectl("patch", "crd", name, "--type=json", "--patch", change)
    before = generation("virtualmachines.kubevirt.io")
    install_crds(server)
    assert generation("virtualmachines.kubevirt.io") == before
    shown = server.kubectl("get", "crd", crds.REQUEST.stem, "--output", "jsonpath={.spec.names.shortNames}")
    assert shown == '["vmtreq"]'


async def test_stand_ins_replace_missing_kubevirt_crds(
    private_server: Callable[..., ControlPlane], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(crds, "REAL", tmp_path)
    server = private_server(controllers=())
    async with server.client() as client:
        await test_only_a_spec_change_increases_the_generation(client, "default")
        with_unknown = vm("default", template={"spec": {"domain": DOMAIN, "of": ["the", "future"]}})
        with_unknown["metadata"]["name"] = "two"
        assert (await client.create(with_unknown))["spec"] == with_unknown["spec"]
        native = {
            "apiVersion": "template.kubevirt.io/v1beta1",
            "kind": "VirtualMachineTemplate",
            "metadata": {"name": "one", "namespace": "default"},
            "spec": {"virtualMachine": vm("default"), "parameters": [{"name": "A", "value": "b"}], "message": "hello"},
        }
        assert (await client.create(native))["spec"] == native["spec"]


def test_invalid_crd_is_an_error(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / crds.REQUEST.name
    broken.write_text(crds.REQUEST.read_text().replace("storage: true", "storage: false"))
    monkeypatch.setattr(crds, "REQUEST", broken)
    with pytest.raises(KubectlError, match="storage"):
        install_crds(server)
