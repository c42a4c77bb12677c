"""The control plane is a real one, and can be hurt."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from e2e.envtest import AUDIT_EVERY_CALL, ApiError, Client, ControlPlane, KubectlError, ProcessError, Server


@pytest.fixture(scope="module")
def own() -> Iterator[ControlPlane]:
    """One for all that is hurt here: it must live through every one of them."""
    with ControlPlane(audit=AUDIT_EVERY_CALL, apiserver_flags=["--feature-gates=WatchList=false"]) as server:
        yield server


def config_map(namespace: str, name: str = "one") -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


async def test_namespace_has_a_service_account_and_is_deleted(server: Server, client: Client) -> None:
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}})
    await client.until("/api/v1/namespaces/short-lived/serviceaccounts/default", bool)
    await client.create(config_map("short-lived"))
    await client.delete("/api/v1/namespaces/short-lived")
    assert await client.until("/api/v1/namespaces/short-lived", lambda found: found is None) is None
    with pytest.raises(ApiError, match="not found"):
        await client.get("/api/v1/namespaces/short-lived/configmaps/one")


async def test_service_account_has_the_rights_of_its_role(server: Server, client: Client, namespace: str) -> None:
    await client.until(f"/api/v1/namespaces/{namespace}/serviceaccounts/default", bool)
    config = server.service_account(namespace, "default")
    command = ("get", "configmaps", "--kubeconfig", config, "--namespace", namespace, "--output", "name")
    with pytest.raises(KubectlError, match="Forbidden"):
        server.kubectl(*command)
    server.kubectl(
        "create", "rolebinding", "v", "--clusterrole=view", f"--serviceaccount={namespace}:default", "-n", namespace
    )
    await client.create(config_map(namespace))
    assert "configmap/one" in server.kubectl(*command)


async def test_impersonated_user_is_authorized(server: Server, namespace: str) -> None:
    async with server.client("alice", "developers", "testers") as alice:
        with pytest.raises(ApiError, match='User "alice" cannot list') as refused:
            await alice.get(f"/api/v1/namespaces/{namespace}/configmaps")
        assert refused.value.status == 403
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
        who = (await alice.create(review))["status"]["userInfo"]
        assert who["groups"] == ["developers", "testers", "system:authenticated"]
    assert "alice" in server.kubectl("auth", "whoami", "--kubeconfig", server.impersonating("alice"))


async def test_server_counts_calls(server: Server, client: Client, namespace: str) -> None:
    async def posts() -> float:
        return await client.metric("apiserver_request_total", resource="configmaps", verb="POST", code="201")

    before = await posts()
    await client.create(config_map(namespace))
    assert await posts() == before + 1


@pytest.mark.parametrize("parts", [("kube-apiserver",), ("etcd",), ("etcd", "kube-apiserver")], ids=" and ".join)
async def test_objects_survive_a_kill_of(parts: tuple, own: ControlPlane) -> None:
    name = "-".join(parts)
    async with own.client() as client:
        await client.create(config_map("default", name))
        for part in parts:
            await asyncio.to_thread(own.kill, part)
        for part in parts:
            await asyncio.to_thread(own.start, part)
        assert await client.until(f"/api/v1/namespaces/default/configmaps/{name}", bool)


async def test_watch_and_controllers_survive_a_restart(own: ControlPlane) -> None:
    async with own.client() as client:
        waiting = asyncio.create_task(client.until("/api/v1/namespaces/late/serviceaccounts/default", bool))
        await asyncio.to_thread(own.restart, "kube-apiserver")
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}})
        assert (await waiting)["metadata"]["name"] == "default"


async def test_two_servers_are_separate(own: ControlPlane, server: Server, client: Client) -> None:
    assert own.url != server.url
    async with own.client() as there:
        await there.create(config_map("default", "only-there"))
    with pytest.raises(ApiError, match="not found"):
        await client.get("/api/v1/namespaces/default/configmaps/only-there")


async def test_calls_are_audited(own: ControlPlane) -> None:
    async with own.client("bob", "system:masters") as bob:
        await bob.create(config_map("default", "bobs"))
    calls = [
        (event["verb"], event["objectRef"]["resource"], event["responseStatus"]["code"])
        for event in own.audit_events()
        if event.get("impersonatedUser", {}).get("username") == "bob" and "objectRef" in event
    ]
    assert ("create", "configmaps", 201) in calls


async def test_api_server_accepts_flags(own: ControlPlane) -> None:
    async with own.client() as client:
        streaming = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        with pytest.raises(ApiError, match="sendInitialEvents is forbidden"):
            await anext(client.watch("/api/v1/configmaps", **streaming))


def test_unknown_api_server_flag_is_reported() -> None:
    with pytest.raises(ProcessError, match="unknown flag: --no-such-flag"):
        ControlPlane(apiserver_flags=["--no-such-flag"])


def test_close_removes_the_folder(private_server: Callable[..., ControlPlane]) -> None:
    server = private_server(controllers=(), crds=False)
    assert server.folder.exists()
    server.close()
    assert not server.folder.exists()
