"""Streams are independent: one API that is unavailable stops only the requests that need it."""

import asyncio
from collections.abc import Callable

from e2e.controller import Controller, service_account
from e2e.envtest import Client, ControlPlane
from e2e.objects import condition, is_ready, reason
from tests.support.builders import Object, request, request_path, vm, vm_path

API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1.template.openshift.io"


async def make_unavailable(client: Client) -> None:
    """Let OpenShift's template API answer 503, as its API server does in every upgrade."""
    service = {"namespace": "default", "name": "absent", "port": 443}
    spec = {"service": service, "insecureSkipTLSVerify": True}
    managed = {"kube-aggregator.kubernetes.io/automanaged": None}  # otherwise it is changed back
    await client.patch(API_SERVICE, {"metadata": {"labels": managed}, "spec": spec})
    await client.until(API_SERVICE, is_unavailable)


def is_unavailable(service: Object) -> bool:
    conditions = service.get("status", {}).get("conditions", [])
    return any(each["type"] == "Available" and each["status"] == "False" for each in conditions)


def native(name: str, **spec: str) -> Object:
    posted = request("default", name, **spec)
    posted["spec"]["target"] = {"virtualMachineTemplate": {}}
    return posted


async def test_unavailable_format_does_not_stop_the_other(private_server: Callable[..., ControlPlane]) -> None:
    server = await asyncio.to_thread(private_server, controllers=())
    kubeconfig = await asyncio.to_thread(service_account, server)
    async with server.client() as client:
        await client.create(vm("default"))
        await make_unavailable(client)
        with Controller(kubeconfig) as controller:
            assert controller.get("/readyz")[0] == 200
            [ready] = [line for line in controller.lines if line["message"] == "ready"]
            assert ready["virtualmachinetemplaterequests"] == 0
            assert "templates" not in ready  # they are not known yet
            await client.create(native("native", refreshPolicy="OnChange"))
            await client.create(request("default", "openshift"))
            first = await client.until(request_path("default", "native"), is_ready)
            await client.patch(vm_path("default"), {"spec": {"runStrategy": "Always"}})
            await client.until(
                request_path("default", "native"),
                lambda found: found["status"]["source"]["generation"] > first["status"]["source"]["generation"],
            )
            failed = await client.until(request_path("default", "openshift"), lambda found: reason(found) == "Failed")
            assert "the API template.openshift.io is unavailable (503)" in condition(failed)["message"]
            await client.delete(API_SERVICE)  # it is created again, for the CRD
            await client.until(request_path("default", "openshift"), is_ready)
