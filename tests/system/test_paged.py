"""An API server that streams no lists: they are read in pages."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from e2e.controller import ACCOUNT, NAMESPACE, Controller, service_account
from e2e.envtest import AUDIT_EVERY_CALL, ControlPlane
from e2e.objects import is_ready, post_all
from tests.support.builders import VMS_API, defaults, request, request_path, template_path, vm, vm_path

MANY = 600  # VMs: two pages


async def test_lists_are_read_in_pages_if_they_are_not_streamed(
    private_server: Callable[..., ControlPlane],
) -> None:
    flags = ["--feature-gates=WatchList=false"]
    server = await asyncio.to_thread(private_server, apiserver_flags=flags, audit=AUDIT_EVERY_CALL, controllers=())
    kubeconfig = await asyncio.to_thread(service_account, server)
    async with server.client() as client:
        names = [f"vm-{number:03}" for number in range(MANY)]
        await post_all(client, f"{VMS_API}/namespaces/default/virtualmachines", (vm("default", name) for name in names))
        for name in (names[0], names[-1]):  # of the first page and of the last
            await client.create(request("default", name, source=name, refreshPolicy="OnChange"))
        with Controller(kubeconfig) as controller:
            for name in (names[0], names[-1]):
                await client.until(request_path("default", name), is_ready)
                memory = {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": "1Gi"}}}}}}}
                await client.patch(vm_path("default", name), memory)
                await client.until(template_path("default", name), lambda it: defaults(it)["REQUESTS_MEMORY"] == "1Gi")
            kept = 'atmpl_watch_objects{stream="virtualmachines"} 2.0'  # only those that requests refer to
            assert kept in controller.get("/metrics")[1]
        assert [line["stream"] for line in controller.lines if "paged lists" in line["message"]]
    pages = [
        parse_qs(urlsplit(event["requestURI"]).query)
        for event in server.audit_events()
        if event["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        and event["requestURI"].startswith(f"{VMS_API}/virtualmachines?")
        and event["verb"] == "list"
    ]
    assert ["continue" in page for page in pages] == [False, True]
