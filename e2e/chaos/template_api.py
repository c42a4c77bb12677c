"""A template API appears and disappears while a controller runs: its requests wait, and continue by themselves."""

import asyncio

from e2e import objects
from e2e.chaos.scenario import ChaosCluster, Report
from e2e.envtest import Server
from e2e.envtest.crds import install_crds

NAMESPACE = "formats"
DEFINITION = "templates.template.openshift.io"
# Seconds: an API that is not served is looked for every 30. A server whose definition is deleted and created again
# at once can keep a watch open that sends no event; then the request is found by its check, every minute.
PATIENCE = 100.0
WELL = [(200, "ok\n")] * 2


async def template_api(cluster: ChaosCluster, *, fast_timers: bool = False) -> Report:
    """Start a controller without the definition of its templates; install that, remove it, and install it again."""
    report = Report()
    controller = cluster.controller("formats", fast_timers=fast_timers)

    async def outcome(name: str, wanted: str) -> None:
        path = f"{objects.requests(NAMESPACE)}/{name}"
        await client.until(path, lambda it: objects.reason(it) == wanted, timeout=PATIENCE)
        probes = [await asyncio.to_thread(controller.get, path) for path in ("/healthz", "/readyz")]
        report.expect(probes == WELL, f"when {name} is {wanted}, the probes return {probes}")

    await _remove(cluster.server)
    async with cluster.server.client() as client:
        await client.create(objects.namespace(NAMESPACE))
        await client.post(objects.vms(NAMESPACE), objects.vm("vm"))
        await asyncio.to_thread(controller.__enter__)
        try:
            for name in ("once", "kept"):
                await client.post(objects.requests(NAMESPACE), objects.request(name, keep=name == "kept"))
                await outcome(name, "FormatUnavailable")
            await asyncio.to_thread(install_crds, cluster.server)
            for name in ("once", "kept"):
                await outcome(name, "Rendered")
            done = await client.get(f"{objects.requests(NAMESPACE)}/once")
            await _remove(cluster.server)
            await client.post(objects.requests(NAMESPACE), objects.request("later"))
            for name in ("later", "kept"):
                await outcome(name, "FormatUnavailable")
            await asyncio.to_thread(install_crds, cluster.server)
            for name in ("later", "kept"):
                await outcome(name, "Rendered")
        finally:
            status = await asyncio.to_thread(controller.stop)
        report.expect(status == 0, f"the controller ended with status {status}")
        report.expect(await client.get(f"{objects.requests(NAMESPACE)}/once") == done, "a finished request was written")
        there = {item["metadata"]["name"] for item in (await client.get(objects.templates(NAMESPACE)))["items"]}
        report.expect(there == {"later", "kept"}, f"these templates are there again: {sorted(there)}")
    return report


async def _remove(server: Server) -> None:
    """Remove the definition of OpenShift's templates, and all of them with it."""
    await asyncio.to_thread(server.kubectl, "delete", "customresourcedefinition", DEFINITION, "--ignore-not-found")
