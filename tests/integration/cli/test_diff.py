"""`atmpl diff` on an API server."""

import asyncio

import atmpl
from e2e.envtest import Client, Server
from tests.support.builders import template_path, vm
from tests.support.cli_runner import typed


async def test_template_in_the_cluster_leads_to_its_vm(server: Server, client: Client, namespace: str) -> None:
    async def diff(*words):
        line = ["diff", "--kubeconfig", server.kubeconfig, "-n", namespace, *words]
        return await asyncio.to_thread(typed, *line)

    made = await client.create(vm(namespace, "web"))
    for name, format in (("web", "openshift"), ("golden", "native")):
        template = atmpl.render(made, name=name, format=format).template
        template["metadata"]["namespace"] = namespace
        await client.create(template)
    assert await diff("--template", "web") == (0, "", "")
    assert await diff("--template", "golden") == (0, "", "")
    await client.patch(
        f"/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachines/web", {"metadata": {"labels": {"tier": "gold"}}}
    )
    for name, kind in (("web", "template"), ("golden", "virtualmachinetemplate")):
        came = await diff("--template", name)
        assert (came.status, came.err) == (1, "")
        assert came.out.startswith(f"--- {kind}/{name} in {namespace}\n+++ virtualmachine/web in {namespace}\n")
        assert [line.split() for line in came.out.splitlines() if line[:1] == "+"][-1] == ["+", "tier:", "gold"]
    came = await diff("--template", "none")
    assert (came.status, came.out) == (2, "")
    assert f"the Template or VirtualMachineTemplate none does not exist in namespace {namespace}; " in came.err
    path = template_path(namespace, "web")
    await client.patch(path, {"metadata": {"annotations": {"ssp.kubevirt.io/source": "../../x"}}})
    assert (
        "has no valid annotation ssp.kubevirt.io/source; name the virtual machine with --vm"
        in (await diff("--template", "web")).err
    )
    came = await diff("--template", "web", "--as", "bob")
    assert came.status == 2
    assert came.err.startswith("error: you may not get the Template or the VirtualMachineTemplate web: ")
