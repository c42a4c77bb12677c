"""A later version of the request with another shape, behind a conversion webhook: the policy checks it as before."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from e2e.envtest import ApiError, Client, ControlPlane
from tests.integration.access.policy import serves_requesters
from tests.integration.access.rbac_helpers import GET_VMS, MAKE, REQUEST_RIGHTS, may
from tests.support.certificates import Authority, needs_openssl

pytestmark = needs_openssl

CONFIG = Path(__file__).parents[3] / "config"
CRD = CONFIG / "crd" / "virtualmachinetemplaterequests.ssp.kubevirt.io.yaml"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualmachinetemplaterequests.ssp.kubevirt.io"
LATER = "ssp.kubevirt.io/v1beta1"


def convert(obj: dict[str, Any], version: str) -> dict[str, Any]:
    """Return a request in another version: v1beta1 has `from` and `to` instead of `source` and `target`."""
    if obj["apiVersion"] == version:
        return obj
    spec = dict(obj["spec"])
    if version == LATER:
        source, target = spec.pop("source"), spec.pop("target")
        spec |= {"from": f"{source['vmNamespace']}/{source['vmName']}", "to": target["openshiftTemplate"]["name"]}
    else:
        namespace, _, name = spec.pop("from").partition("/")
        source = {"vmName": name, "vmNamespace": namespace}
        spec |= {"source": source, "target": {"openshiftTemplate": {"name": spec.pop("to")}}}
    return obj | {"apiVersion": version, "spec": spec}


async def answer(request: web.Request) -> web.Response:
    """Answer a ConversionReview."""
    review = await request.json()
    review_request = review["request"]
    objects = [convert(obj, review_request["desiredAPIVersion"]) for obj in review_request["objects"]]
    response = {"uid": review_request["uid"], "result": {"status": "Success"}, "convertedObjects": objects}
    return web.json_response({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})


@asynccontextmanager
async def webhook(folder: Path) -> AsyncIterator[dict[str, Any]]:
    """Run the conversion webhook; yield the conversion of the definition."""
    authority = await asyncio.to_thread(Authority, folder)
    app = web.Application()
    app.router.add_post("/convert", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    context = await asyncio.to_thread(authority.server, "localhost")
    site = web.TCPSite(runner, "localhost", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    bundle = base64.b64encode(await asyncio.to_thread(authority.certificate.read_bytes)).decode()
    client = {"url": f"https://localhost:{port}/convert", "caBundle": bundle}
    try:
        yield {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client}}
    finally:
        await runner.cleanup()


def later_version() -> dict[str, Any]:
    [current] = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "name": "v1beta1",
        "served": True,
        "storage": False,
        "subresources": current["subresources"],
        "schema": {"openAPIV3Schema": schema},
    }


async def post(client: Client, namespace: str, **spec: Any) -> dict[str, Any]:
    """Create a request of the later version without storing it."""
    posted = {
        "apiVersion": LATER,
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": "mine"},
        "spec": {"from": f"{namespace}/fedora", "to": "golden", **spec},
    }
    path = f"/apis/{LATER}/namespaces/home/virtualmachinetemplaterequests"
    return await client.post(path, posted, dryRun="All")


async def is_admitted(client: Client, namespace: str) -> bool:
    """Return False if the policy denies a request of the later version."""
    try:
        await post(client, namespace)
    except ApiError as error:
        if f"you may not get the virtual machine fedora in namespace {namespace}" not in error.message:
            raise
        return False
    return True


async def test_policy_checks_requests_of_a_later_version(
    private_server: Callable[..., ControlPlane], tmp_path: Path
) -> None:
    server = await asyncio.to_thread(private_server)
    await asyncio.to_thread(server.kubectl, "apply", "--server-side", "-k", CONFIG / "policy")
    async with server.client() as admin, server.client("alice") as alice, webhook(tmp_path) as conversion:
        for name in ("home", "away", "other"):
            await admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for item in may("alice", "ask", [REQUEST_RIGHTS, *MAKE.values()], "home") + may(
            "alice", "see", [GET_VMS], "away"
        ):
            await admin.create(item)
        definition = await admin.get(DEFINITION)
        versions = [*definition["spec"]["versions"], later_version()]
        await admin.put(
            DEFINITION, definition | {"spec": definition["spec"] | {"versions": versions, "conversion": conversion}}
        )
        async with asyncio.timeout(60):
            while True:
                if not await denied_or_unserved(alice):
                    break
                await asyncio.sleep(0.1)
        assert await is_admitted(alice, "away")
        assert not await is_admitted(alice, "other")
        with pytest.raises(ApiError, match=r"spec.requester is not the user who creates the request"):
            await post(alice, "away", requester={"username": "admin"})
        if await serves_requesters(admin):
            await asyncio.to_thread(server.kubectl, "apply", "--server-side", "-k", CONFIG / "requester")
            async with asyncio.timeout(60):
                while True:
                    if await is_recorded(alice):
                        break
                    await asyncio.sleep(0.1)
            recorded = await post(alice, "away", requester={"username": "admin"})
            assert recorded["spec"]["requester"] == {"username": "alice", "groups": ["system:authenticated"]}


async def denied_or_unserved(client: Client) -> bool:
    """Return True until the later version is served and the policy is in force: both take about a second."""
    try:
        return await is_admitted(client, "other") or not await is_admitted(client, "away")
    except ApiError as error:
        if error.status not in {404, 503}:
            raise
        return True


async def is_recorded(client: Client) -> bool:
    """Return False until the API server records requesters: it first looks for the version that the policy names."""
    try:
        return "requester" in (await post(client, "away"))["spec"]
    except ApiError as error:
        if error.status != 503:
            raise
        return False
