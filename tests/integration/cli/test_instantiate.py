"""`atmpl instantiate` and `atmpl convert` on an API server, with templates of both formats."""

import asyncio
import json
import re
from pathlib import Path

import pytest

import atmpl
from e2e.envtest import Client, Server
from tests.support.builders import vm, vm_path
from tests.support.cli_runner import Came, typed


async def instantiate(server: Server, namespace: str, *words: str) -> Came:
    line = ["instantiate", "--kubeconfig", str(server.kubeconfig), "-n", namespace, *words]
    return await asyncio.to_thread(typed, *line)


@pytest.mark.parametrize("format", ["openshift", "native"])
async def test_vm_is_created_from_a_template(server: Server, client: Client, namespace: str, format: str) -> None:
    template = atmpl.render(vm(namespace, "web"), name="golden", format=format).template
    template["metadata"]["namespace"] = namespace
    await client.create(template)
    came = await instantiate(server, namespace, "--template", "golden", "--dry-run", "--vm-name", "web-2")
    assert (came.status, came.out.count("kind: VirtualMachine\n")) == (0, 1)
    came = await instantiate(
        server, namespace, "--template", "golden", "--vm-name", "web-2", "-p", "REQUESTS_MEMORY=2Gi"
    )
    assert (came.status, came.out) == (0, "virtualmachine.kubevirt.io/web-2 created\n")
    made = await client.get(vm_path(namespace, "web-2"))
    assert made["spec"]["template"]["spec"]["domain"]["resources"]["requests"]["memory"] == "2Gi"
    came = await instantiate(server, namespace, "--template", "golden", "--vm-name", "web-2")
    assert (came.status, came.out) == (1, "")
    came = await instantiate(server, namespace, "--template", "golden", "-o", "name")
    assert came.out.startswith("virtualmachine.kubevirt.io/web-")


KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
CLOUD_CONFIG = "#cloud-config\npassword: mine\nssh_authorized_keys:\n- ssh-ed25519 AAAAMine me@x\n"


@pytest.mark.parametrize("format", ["openshift", "native"])
async def test_golden_template_of_another_namespace_is_used(
    server: Server, client: Client, namespace: str, format: str, tmp_path: Path
) -> None:
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "golden-"}}
    golden = (await client.create(home))["metadata"]["name"]
    source = vm(golden, "web")
    source["spec"]["template"]["spec"]["volumes"].append(
        {"name": "init", "cloudInitNoCloud": {"userData": CLOUD_CONFIG}}
    )
    template = atmpl.render(source, name="golden", format=format, secrets="Extract").template
    template["metadata"]["namespace"] = golden
    await client.create(template)
    (tmp_path / "key.pub").write_text(f"ssh-ed25519 {KEY} you@x\n")
    words = ["--template", "golden", "--template-namespace", golden]
    came = await instantiate(server, namespace, *words)
    assert (came.status, came.out) == (1, "")
    [key] = re.findall(r"-p (\w+)=@FILE$", came.err, re.MULTILINE)
    came = await instantiate(server, namespace, *words, "--vm-name", "web-2", "-p", f"{key}=@{tmp_path}/key.pub")
    assert came.status == 0
    [password] = re.findall(r"^CLOUD_USER_PASSWORD=(\S+)$", came.err, re.MULTILINE)
    made = await client.get(vm_path(namespace, "web-2"))
    text = made["spec"]["template"]["spec"]["volumes"][-1]["cloudInitNoCloud"]["userData"]
    assert text == CLOUD_CONFIG.replace("mine", password).replace("AAAAMine me", f"{KEY} you")
    await client.delete(f"/api/v1/namespaces/{golden}")


async def test_converted_template_is_accepted_and_used(server: Server, client: Client, namespace: str) -> None:
    template = atmpl.render(vm(namespace, "web"), name="golden", naming="Parameter").template
    came = typed("convert", "-", "-o", "json", stdin=json.dumps(template))
    converted = json.loads(came.out)
    converted["metadata"]["namespace"] = namespace
    await client.create(converted)
    came = await instantiate(server, namespace, "--template", "golden")
    assert came.status == 0
    name = came.out.removeprefix("virtualmachine.kubevirt.io/").partition(" ")[0]
    assert f"\nNAME={name}\n" in came.err
    assert (await client.get(vm_path(namespace, name)))["kind"] == "VirtualMachine"
