"""Compaction of etcd by its JSON gateway, over its Unix socket."""

import base64
from pathlib import Path
from typing import Any

import aiohttp


async def forget(folder: Path) -> int:
    """Let etcd's revision go on, and forget all states before it; return that revision.

    A watch from an older resourceVersion then gets 410. Raises aiohttp.ClientError.
    """
    async with aiohttp.ClientSession("http://etcd", connector=aiohttp.UnixConnector(str(folder / "etcd.sock"))) as etcd:
        for _ in range(2):  # a watch at the revision before the kept one has missed nothing
            put = await _call(etcd, "put", {"key": base64.b64encode(b"/atmpl/storm").decode(), "value": ""})
        revision = int(put["header"]["revision"])
        await _call(etcd, "compaction", {"revision": revision, "physical": True})
        return revision


async def _call(etcd: aiohttp.ClientSession, method: str, body: dict[str, Any]) -> dict[str, Any]:
    async with etcd.post(f"/v3/kv/{method}", json=body) as answer:
        answer.raise_for_status()
        decoded: dict[str, Any] = await answer.json()
        return decoded
