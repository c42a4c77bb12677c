"""Tests with KubeVirt's own admission of VMs and templates."""

from typing import Any

import pytest

import atmpl
from e2e.envtest import Client
from e2e.objects import is_ready

VMS = "/apis/kubevirt.io/v1/namespaces/{}/virtualmachines"
REQUESTS = "/apis/ssp.kubevirt.io/v1alpha1/namespaces/{}/virtualmachinetemplaterequests"
TEMPLATES = {
    "openshiftTemplate": "/apis/template.openshift.io/v1/namespaces/{}/templates",
    "virtualMachineTemplate": "/apis/template.kubevirt.io/v1beta1/namespaces/{}/virtualmachinetemplates",
}
CLOUD_INIT = "#cloud-config\npassword: cirros\nchpasswd:\n  expire: false\n"


def vm(namespace: str) -> dict[str, Any]:
    """Return a VM as people write them: a container disk, cloud-init, a masqueraded network."""
    devices = {
        "disks": [{"name": name, "disk": {"bus": "virtio"}} for name in ("root", "cloudinit")],
        "interfaces": [{"name": "default", "masquerade": {}}],
        "rng": {},
    }
    spec = {
        "domain": {"cpu": {"cores": 1}, "memory": {"guest": "128Mi"}, "devices": devices},
        "networks": [{"name": "default", "pod": {}}],
        "terminationGracePeriodSeconds": 0,
        "volumes": [
            {"name": "root", "containerDisk": {"image": "quay.io/kubevirt/cirros-container-disk-demo:latest"}},
            {"name": "cloudinit", "cloudInitNoCloud": {"userData": CLOUD_INIT}},
        ],
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm", "namespace": namespace, "labels": {"app": "cirros"}},
        "spec": {"runStrategy": "Halted", "template": {"metadata": {"labels": {"app": "cirros"}}, "spec": spec}},
    }


def request(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """Return a request for the VM's template."""
    return {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"vmName": "vm"}, **spec},
    }


async def created(client: Client, instance: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Create the processed objects with a dry run."""
    placed = instance | {"metadata": instance["metadata"] | {"namespace": namespace}}
    return await client.create(placed, dryRun="All", fieldValidation="Strict")


@pytest.mark.parametrize("format", TEMPLATES)
async def test_processed_vm_is_accepted(format: str, client: Client, namespace: str) -> None:
    source = await client.create(vm(namespace))
    await client.create(request(namespace, "once", target={format: {}}))
    await client.until(f"{REQUESTS.format(namespace)}/once", is_ready)
    template = await client.get(f"{TEMPLATES[format].format(namespace)}/once")
    [same] = atmpl.process(template)
    [larger] = atmpl.process(template, {"CPU_CORES": "2"})
    made = await created(client, same, namespace)
    assert made["spec"]["template"]["spec"]["volumes"] == source["spec"]["template"]["spec"]["volumes"]
    assert made["metadata"]["labels"].items() >= {"app": "cirros"}.items()
    assert made["metadata"]["name"].startswith("vm-")
    made = await created(client, larger, namespace)
    assert made["spec"]["template"]["spec"]["domain"]["cpu"]["cores"] == 2


@pytest.mark.parametrize("format", TEMPLATES)
async def test_refreshed_template_follows_its_vm(format: str, client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, "kept", target={format: {}}, refreshPolicy="OnChange"))
    await client.until(f"{REQUESTS.format(namespace)}/kept", is_ready)
    more = {"spec": {"template": {"spec": {"domain": {"memory": {"guest": "256Mi"}}}}}}
    await client.patch(f"{VMS.format(namespace)}/vm", more)

    def follows(template: dict[str, Any] | None) -> bool:
        parameters = (template or {}).get("parameters") or (template or {}).get("spec", {}).get("parameters") or []
        return {"name": "MEMORY_GUEST", "value": "256Mi"}.items() <= next(
            (one for one in parameters if one["name"] == "MEMORY_GUEST"), {}
        ).items()

    await client.until(f"{TEMPLATES[format].format(namespace)}/kept", follows)


async def test_new_vm_has_its_own_identity(client: Client, namespace: str) -> None:
    posted = vm(namespace)
    posted["spec"]["template"]["spec"]["domain"]["firmware"] = {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"}
    await client.create(posted)
    await client.create(request(namespace, "once", target={"virtualMachineTemplate": {}}))
    await client.until(f"{REQUESTS.format(namespace)}/once", is_ready)
    template = await client.get(f"{TEMPLATES['virtualMachineTemplate'].format(namespace)}/once")
    [instance] = atmpl.process(template)
    made = await created(client, instance, namespace)
    uuid = made["spec"]["template"]["spec"]["domain"]["firmware"]["uuid"]
    assert uuid != posted["spec"]["template"]["spec"]["domain"]["firmware"]["uuid"]
