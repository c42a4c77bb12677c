"""Impersonation, and the context's namespace: parts of a kubeconfig that kubernetes_asyncio does not read."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from atmpl.kube.auth import CredentialsError, ImpersonatedCredentials
from atmpl.kube.auth.kubeconfig import Kubeconfig
from atmpl.kube.client import KubeClient
from tests.support.scripted_server import Script, connected


def kubeconfig(tmp_path: Path, user: dict[str, Any], **context: str) -> Kubeconfig:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me", **context}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": "secret", **user}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    return Kubeconfig(str(tmp_path / "config"))


async def sent(credentials: Kubeconfig | ImpersonatedCredentials) -> list[tuple[str, str]]:
    found = (await credentials.endpoint()).headers
    return sorted((name, value) for name, value in found.items())


async def test_kubeconfig_impersonation_has_all_groups(tmp_path: Path) -> None:
    mine = kubeconfig(tmp_path, {"as": "alice", "as-groups": ["db", "web"]})
    assert await sent(mine) == [
        ("Authorization", "Bearer secret"),
        ("Impersonate-Group", "db"),
        ("Impersonate-Group", "web"),
        ("Impersonate-User", "alice"),
    ]


async def test_kubeconfig_impersonation_has_uid_and_extra(tmp_path: Path) -> None:
    extra = {"scopes.authorization.openshift.io": ["user:info"], "a/b": ["1", "2"]}
    assert await sent(kubeconfig(tmp_path, {"as": "alice", "as-uid": "7", "as-user-extra": extra})) == [
        ("Authorization", "Bearer secret"),
        ("Impersonate-Extra-a%2Fb", "1"),
        ("Impersonate-Extra-a%2Fb", "2"),
        ("Impersonate-Extra-scopes.authorization.openshift.io", "user:info"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-User", "alice"),
    ]


async def test_impersonation_option_replaces_the_kubeconfigs(tmp_path: Path) -> None:
    user = {"as": "alice", "as-uid": "7", "as-groups": ["db"], "as-user-extra": {"a": ["1"]}}
    mine = ImpersonatedCredentials(kubeconfig(tmp_path, user), "bob", ["ops"])
    assert await sent(mine) == [
        ("Authorization", "Bearer secret"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-User", "bob"),
    ]


INVALID = [
    {"as": 5},
    {"as": "alice", "as-groups": "db"},
    {"as": "alice", "as-groups": [1]},
    {"as": "alice", "as-uid": 7},
    {"as": "alice", "as-user-extra": {"a": "1"}},
    {"as-groups": ["db"]},
    {"as-user-extra": {"a": ["1"]}},
]


@pytest.mark.parametrize("user", INVALID)
async def test_invalid_impersonation_is_rejected(user: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"users\[\].user.as"):
        await kubeconfig(tmp_path, user).endpoint()


async def test_each_group_is_sent_in_its_own_header() -> None:
    seen: list[list[str]] = []

    async def act(request: web.Request) -> web.Response:
        seen.append(request.headers.getall("Impersonate-Group"))
        return web.json_response({})

    script = Script(act, act)
    async with (
        connected(script) as plain,
        KubeClient(ImpersonatedCredentials(plain._credentials, "bob", ["a", "b"])) as ours,
    ):
        await ours.call("GET", "/")
        async with ours.stream("/", {}, "application/json", 5) as response:
            await response.read()
    assert seen == [["a", "b"], ["a", "b"]]


async def test_namespace_is_that_of_the_context(tmp_path: Path) -> None:
    assert await kubeconfig(tmp_path, {}, namespace="team-a").namespace() == "team-a"
    assert await ImpersonatedCredentials(kubeconfig(tmp_path, {}, namespace="team-a"), "bob").namespace() == "team-a"


async def test_namespace_without_a_context_is_default(tmp_path: Path) -> None:
    assert await kubeconfig(tmp_path, {}).namespace() == "default"
