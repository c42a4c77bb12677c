"""The native format on a cluster that serves only an older version of its API, as KubeVirt 1.8 does."""

import asyncio
from collections.abc import Callable

from e2e.controller import Controller, service_account
from e2e.envtest import ApiError, Client, ControlPlane
from e2e.objects import is_ready
from tests.support.builders import request, request_path, vm, vm_path

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualmachinetemplates.template.kubevirt.io"
HOME = "native"


async def is_served(client: Client, path: str) -> bool:
    """Return True if the API server serves a collection: a change of a definition takes about a second."""
    try:
        await client.get(path)
    except ApiError as error:
        if error.status not in {404, 429}:  # 429: "storage is (re)initializing"
            raise
        return False
    return True


async def test_older_native_version_is_used_if_only_it_is_served(private_server: Callable[..., ControlPlane]) -> None:
    server = await asyncio.to_thread(private_server)
    account = await asyncio.to_thread(service_account, server)
    async with server.client() as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
        definition = await client.get(CRD)
        versions = [version | {"served": version["name"] == "v1alpha1"} for version in definition["spec"]["versions"]]
        assert [version["name"] for version in versions if version["served"]] == ["v1alpha1"]
        await client.put(CRD, definition | {"spec": definition["spec"] | {"versions": versions}})
        templates = f"/apis/template.kubevirt.io/v1alpha1/namespaces/{HOME}/virtualmachinetemplates"
        async with asyncio.timeout(30):
            while True:
                if await is_served(client, templates):
                    break
                await asyncio.sleep(0.1)
        await client.create(vm(HOME))
        posted = request(HOME, refreshPolicy="OnChange")
        posted["spec"]["target"] = {"virtualMachineTemplate": {}}
        await client.create(posted)
        controller = Controller(account)
        await asyncio.to_thread(controller.__enter__)
        try:
            found = await client.until(request_path(HOME), is_ready)
            assert found["status"]["templateRef"]["apiVersion"] == "template.kubevirt.io/v1alpha1"
            template = await client.get(f"{templates}/request")
            await client.patch(vm_path(HOME), {"metadata": {"labels": {"team": "db"}}})
            await client.until(f"{templates}/request", lambda it: it["metadata"]["uid"] and "team" in str(it["spec"]))
            await client.delete(f"{templates}/request")
            again = await client.until(
                f"{templates}/request", lambda it: it and it["metadata"]["uid"] != template["metadata"]["uid"]
            )
            assert again is not None
        finally:
            await asyncio.to_thread(controller.stop)
