"""The user's side of the API."""

import asyncio
from contextlib import aclosing

import pytest

from e2e.envtest import ApiError, Client, Server
from tests.support.leak_check import sockets


def config_map(namespace: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": namespace}, "data": data}


async def test_object_is_created_applied_patched_and_deleted(client: Client, namespace: str) -> None:
    made = await client.create(config_map(namespace, a="1"))
    path = await client.path(made)
    assert path == f"/api/v1/namespaces/{namespace}/configmaps/one"
    assert (await client.apply(config_map(namespace, a="2", b="3")))["data"] == {"a": "2", "b": "3"}
    assert (await client.patch(path, {"data": {"b": None}}))["data"] == {"a": "2"}
    moved = [{"op": "move", "from": "/data/a", "path": "/data/c"}]
    assert (await client.patch(path, moved, "json"))["data"] == {"c": "2"}
    replaced = await client.put(path, config_map(namespace, d="4"))
    assert replaced["data"] == {"d": "4"}
    with pytest.raises(ApiError) as refused:
        await client.delete(path, {"preconditions": {"uid": "another"}})
    assert (refused.value.status, refused.value.body["reason"]) == (409, "Conflict")
    await client.delete(path)
    assert await client.until(path, lambda found: found is None) is None


async def test_an_apply_without_force_meets_another_owner(client: Client, namespace: str) -> None:
    await client.apply(config_map(namespace, a="1"), manager="first")
    with pytest.raises(ApiError, match='conflict with "first"'):
        await client.apply(config_map(namespace, a="2"), manager="second", force=False)


async def test_watch_yields_each_change(client: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    since = (await client.get(path, fieldSelector="metadata.name=one"))["metadata"]["resourceVersion"]
    await client.create(config_map(namespace, text="x" * 900_000))  # longer than any buffer on the way
    await client.delete(f"{path}/one")
    only = {"fieldSelector": "metadata.name=one", "resourceVersion": since, "timeoutSeconds": 1}
    seen = [(event["type"], len(event["object"]["data"]["text"])) async for event in client.watch(path, **only)]
    assert seen == [("ADDED", 900_000), ("DELETED", 900_000)]


async def test_closed_watch_closes_its_connection(server: Server) -> None:
    before = sockets()
    async with server.client() as watcher:
        async with aclosing(watcher.watch("/api/v1/namespaces")) as events:
            async for _ in events:
                break
        for _ in range(2):  # turns of the loop, none of them long enough for the server's farewell
            await asyncio.sleep(0)
        assert sockets() <= before


async def test_expired_version_is_an_error(client: Client) -> None:
    async def first() -> dict:
        while True:
            try:
                return await anext(client.watch("/apis/kubevirt.io/v1/virtualmachines", resourceVersion="1"))
            except ApiError as error:
                if error.status != 429:  # 429: the server's own watch of a new definition is not there yet
                    raise

    with pytest.raises(ApiError, match="too old resource version") as refused:
        await first()
    assert refused.value.status == 410


async def test_until_times_out_with_the_last_object(client: Client, namespace: str) -> None:
    made = await client.create(config_map(namespace, a="seen"))
    with pytest.raises(TimeoutError, match='"a": "seen"'):
        await client.until(await client.path(made), lambda found: "b" in found["data"], timeout=0.3)


async def test_until_sees_a_deletion(client: Client, namespace: str) -> None:
    path = await client.path(await client.create(config_map(namespace)))
    deletion: list[asyncio.Task] = []

    def gone(found: dict | None) -> bool:
        if not deletion:  # the first look: it is there
            deletion.append(asyncio.create_task(client.delete(path)))
        return found is None

    assert await client.until(path, gone, timeout=20) is None
    await deletion[0]


async def test_until_raises_the_error_of_its_condition(client: Client) -> None:
    with pytest.raises(KeyError):
        await client.until("/api/v1/namespaces/default", lambda found: found["no such field"])


async def test_until_raises_a_refusal_at_once(client: Client) -> None:
    with pytest.raises(ApiError, match="404 page not found"):
        await client.until("/apis/no.such/v1/things/one", bool)


async def test_unserved_kind_is_an_error(client: Client) -> None:
    with pytest.raises(LookupError, match="v1 Nonsense"):
        await client.create({"apiVersion": "v1", "kind": "Nonsense", "metadata": {}})
