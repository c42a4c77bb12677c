"""The controller as a pod has it: a mounted token and the API server's address, and no kubeconfig."""

import asyncio

from e2e.controller import Controller, pod
from e2e.envtest import Client, Server
from e2e.objects import is_ready
from tests.support.builders import request, request_path, vm


async def test_pod_needs_no_option_and_no_kubeconfig_reader(server: Server, client: Client, namespace: str) -> None:
    env = await asyncio.to_thread(pod, server)
    controller = Controller(None, python=("-X", "importtime"), env=env)
    with controller:
        await client.create(vm(namespace))
        await client.create(request(namespace))
        await client.until(request_path(namespace), is_ready)
    assert controller.process.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in controller.noise}
    assert "atmpl.kube.auth.in_cluster" in imported
    assert "kubernetes_asyncio" not in imported
