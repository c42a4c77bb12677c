"""`--authenticate-metrics` on a real API server: token and right are reviewed."""

import asyncio

import aiohttp

from e2e.controller import ACCOUNT, NAMESPACE, Controller, service_account
from e2e.envtest import Client, Server
from tests.support.builders import Object

RBAC = "rbac.authorization.k8s.io"


def binding(name: str, role: str, namespace: str, account: str) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}],
    }


async def status(controller: Controller, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(f"{controller.url}/metrics", headers=headers) as answer:
        return answer.status


async def test_scrape_needs_token_and_right(server: Server, client: Client, namespace: str) -> None:
    for account in ("reader", "other"):
        await client.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
        )
    rule = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": namespace}, "rules": [rule]}
    kubeconfig = await asyncio.to_thread(service_account, server)
    await client.create(role)
    await client.create(binding(f"{namespace}-reader", namespace, namespace, "reader"))
    await client.create(binding(f"{namespace}-reviewer", "system:auth-delegator", NAMESPACE, ACCOUNT))

    async def token(account: str) -> str:
        arguments = ("create", "token", account, "--namespace", namespace)
        return (await asyncio.to_thread(server.kubectl, *arguments)).strip()

    reader, other = await token("reader"), await token("other")
    controller = Controller(kubeconfig, "--authenticate-metrics", f"--namespace={namespace}")
    await asyncio.to_thread(controller.__enter__)
    try:
        async with asyncio.timeout(30):
            while (first := await status(controller, reader)) != 200:  # the server learns of bindings by watches
                assert first in {403, 503}
        assert await status(controller, other) == 403
        assert await status(controller, "invalid") == 401
        assert await status(controller, "\udcff") == 401  # a byte that is not text
        assert await asyncio.to_thread(controller.get, "/healthz") == (200, "ok\n")
    finally:
        await asyncio.to_thread(controller.__exit__)
