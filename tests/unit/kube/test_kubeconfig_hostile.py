"""A kubeconfig of any shape and size is used or rejected with one sentence that shows nothing of its content."""

import base64
import copy
import itertools
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from atmpl.kube.auth import APIEndpoint, CredentialsError
from atmpl.kube.auth.kubeconfig import MAX_ALIASES, MAX_FILE_BYTES, Kubeconfig

TOKEN = "t0k3n-that-must-not-be-shown"

GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
    "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1", "proxy-url": "http://127.0.0.1:2"}}],
    "users": [{"name": "me", "user": {"token": TOKEN, "password": TOKEN, "username": "me"}}],
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *itertools.chain.from_iterable(paths(item, (*path, key)) for key, item in inner)]


WRONG: dict[str, Any] = {
    "null": None,
    "a number": 5,
    "true": True,
    "a text": "text",
    "an empty text": "",
    "an empty list": [],
    "an empty object": {},
    "a list of secrets": [TOKEN],
    "an object of secrets": {TOKEN: TOKEN, "token": TOKEN},
    "a list of objects": [{"name": TOKEN, "token": TOKEN}],
    "a date": yaml.safe_load("2024-01-01"),
}


async def outcome(path: Path, context: str | None = None) -> APIEndpoint | str:
    """Return the endpoint, or the error."""
    try:
        return await Kubeconfig(str(path), context).endpoint()
    except CredentialsError as error:
        return str(error)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_any_value_in_any_place_is_used_or_rejected(
    wrong: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("kubernetes_asyncio").setLevel(logging.CRITICAL + 1)  # as in manager/logs.py
    file = tmp_path / "config"
    for path in paths(GOOD):
        config = copy.deepcopy(GOOD)
        if path:
            place = config
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = wrong
        else:
            config = wrong
        file.write_text(yaml.safe_dump(config))
        found = await outcome(file)
        if isinstance(found, APIEndpoint):
            assert isinstance(found.server, str)
            assert all(isinstance(text, str) for text in found.headers.values())
            assert isinstance(found.proxy, str | None)
            assert isinstance(found.tls_name, str | None)
        else:
            assert found.startswith(f"kubeconfig {file}: ")
            assert TOKEN not in found
    assert TOKEN not in caplog.text


REJECTED: dict[str, tuple[str, str]] = {  # the file and the error
    "no YAML": (f"users:\n- token: {TOKEN}\n  {TOKEN}: [\n", "line 4, column 1 is not valid YAML"),
    "YAML of tabs": (f"\tusers: {TOKEN}", "line 1, column 1 is not valid YAML"),
    "an alias of nothing": (f"users: *{TOKEN}", "line 1, column 8 is not valid YAML"),
    "an unknown tag": (f"users: !{TOKEN} x", "line 1, column 8 is not valid YAML"),
    "bytes": ("\x00\x01", "the file is not complete (ReaderError)"),
    "nothing": ("", "Expected key current-context"),
    "no server": (
        json.dumps(GOOD | {"clusters": [{"name": "one", "cluster": {"proxy-url": "http://a"}}]}),
        "cluster.server must be a URL",
    ),
    "a verification that a text switches off": (
        json.dumps(
            GOOD
            | {
                "clusters": [
                    {"name": "one", "cluster": {"server": "https://a", "insecure-skip-tls-verify": "false"}},
                ]
            }
        ),
        "clusters[].cluster.insecure-skip-tls-verify must be true or false",
    ),
    "a user without a user": (
        json.dumps(GOOD | {"users": [{"name": "me", "token": TOKEN}]}),
        "Invalid kube-config file. Expected key user",
    ),
    "a context that is not there": (
        json.dumps(GOOD | {"current-context": "there"}),
        "there is no context there; `kubectl config get-contexts`",
    ),
    "more than fits": (f"# {TOKEN}\n" * (MAX_FILE_BYTES // len(TOKEN)), f"is larger than {MAX_FILE_BYTES:,} bytes"),
    "a few bytes that stand for gigabytes": (
        "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
        f"has more than {MAX_ALIASES} YAML aliases",
    ),
}


@pytest.mark.parametrize(("text", "message"), REJECTED.values(), ids=REJECTED)
async def test_kubeconfig_error_hides_its_content(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    found = await outcome(file)
    assert isinstance(found, str)
    assert message in found
    assert TOKEN not in found


async def test_invalid_key_is_not_shown(tmp_path: Path) -> None:
    key = base64.b64encode(f"-----BEGIN {TOKEN}".encode()).decode()
    user = {"client-certificate-data": key, "client-key-data": key}
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    file = tmp_path / "config"
    file.write_text(
        json.dumps(GOOD | {"users": [{"name": "me", "user": user}], "clusters": [{"name": "one", "cluster": cluster}]})
    )
    found = await outcome(file)
    assert isinstance(found, str)
    assert TOKEN not in found
    assert "PEM" in found


def test_display_url_hides_user_and_password() -> None:
    for server in (f"https://me:{TOKEN}@host:6443", f"https://{TOKEN}@host:6443", f"https://a@b:{TOKEN}@host:6443"):
        assert APIEndpoint(server, {}, None).display_url == "https://host:6443"
    assert APIEndpoint("https://host:6443/prefix/a@b", {}, None).display_url == "https://host:6443/prefix/a@b"
