"""A kubeconfig as kubectl reads it: contexts, merged files, tokens, certificates, plugins, proxies; and what changes."""

import asyncio
import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from atmpl.kube.auth import CredentialsError
from atmpl.kube.auth.cached import REFRESH_INTERVAL_SECONDS
from atmpl.kube.auth.kubeconfig import Kubeconfig, default_file
from atmpl.kube.client import KubeClient
from tests.support import virtual_clock
from tests.support.certificates import Authority, needs_openssl
from tests.support.scripted_server import Script, found, serving, status
from tests.support.virtual_clock import virtual

PLUGIN_KIND = "client.authentication.k8s.io/v1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def no_proxy_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def write(file: Path, *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> Path:
    """A kubeconfig of one context, `here`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": "http://one.test:6443/"} | (cluster or {})}],
        "users": [{"name": "me", "user": user or {}}],
    }
    file.write_text(json.dumps(config))
    return file


def kubeconfig(file: Path, context: str | None = None) -> Kubeconfig:
    return Kubeconfig(str(file), context, virtual_clock.now)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- which file, which context


def test_the_file_is_the_one_that_kubectl_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    assert default_file() == "/a:/b"
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_file() == str(tmp_path / ".kube" / "config")


@virtual
async def test_the_context_is_the_current_one_or_the_one_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path / "config", user={"token": "mine"})
    config = json.loads(file.read_text())
    config["contexts"].append({"name": "there", "context": {"cluster": "two", "user": "you"}})
    config["clusters"].append({"name": "two", "cluster": {"server": "http://two.test"}})
    config["users"].append({"name": "you", "user": {"username": "u", "password": "p"}})
    file.write_text(json.dumps(config))
    here, there = await kubeconfig(file).endpoint(), await kubeconfig(file, "there").endpoint()
    assert (here.server, here.headers) == ("http://one.test:6443", bearer("mine"))
    assert (there.server, there.headers) == ("http://two.test", {"Authorization": "Basic dTpw"})


@virtual
async def test_files_are_merged_and_those_that_are_not_there_are_passed_over(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first"), tmp_path / "second"
    config = json.loads(first.read_text())
    second.write_text(json.dumps({"users": [{"name": "me", "user": {"token": "of the second"}}], "clusters": [], "contexts": []}))  # fmt: skip
    first.write_text(json.dumps(config | {"users": []}))
    access = await Kubeconfig(f"{tmp_path}/none:{first}:{second}", now=virtual_clock.now).endpoint()
    assert (access.server, access.headers) == ("http://one.test:6443", bearer("of the second"))


def test_where_there_is_no_file_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(kubeconfig(tmp_path / "none").endpoint())
    assert str(error.value) == (
        f"kubeconfig {tmp_path}/none: there is no such file: name one with --kubeconfig or the variable KUBECONFIG"
    )


def test_where_it_is_no_file_that_can_be_read_again_that_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(CredentialsError, match=rf"kubeconfig {path}: this is no regular file: name one with"):
            virtual_clock.run(kubeconfig(path).endpoint())


def test_a_context_that_is_not_there_is_named_and_where_to_see_which_are(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(kubeconfig(write(tmp_path / "config"), "there").endpoint())
    assert str(error.value) == (
        f"kubeconfig {tmp_path}/config, context there cannot be used: there is no context there in it; "
        "`kubectl config get-contexts` lists those that are"
    )


# --- what changes


@virtual
async def test_a_file_that_is_written_anew_counts_within_a_minute(tmp_path: Path) -> None:
    credentials = kubeconfig(write(tmp_path / "config", user={"token": "first"}))
    assert (await credentials.endpoint()).headers == bearer("first")
    write(tmp_path / "config", user={"token": "second"})
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert (await credentials.endpoint()).headers == bearer("second")


@virtual
async def test_a_file_that_is_broken_for_a_moment_changes_nothing(tmp_path: Path) -> None:
    credentials = kubeconfig(write(tmp_path / "config", user={"token": "first"}))
    first = await credentials.endpoint()
    (tmp_path / "config").write_text("{")
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert await credentials.endpoint() is first


@virtual
async def test_a_token_file_is_read_again_and_the_end_of_its_line_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    credentials = kubeconfig(write(tmp_path / "config", user={"tokenFile": "token"}))  # beside the kubeconfig
    assert (await credentials.endpoint()).headers == bearer("first")
    (tmp_path / "token").write_text("second\r\n")
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert (await credentials.endpoint()).headers == bearer("second")


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=f"{tmp_path}/token"):
        virtual_clock.run(kubeconfig(write(tmp_path / "config", user={"tokenFile": "token"})).endpoint())


def plugin(folder: Path, **status: str) -> dict[str, Any]:
    program = folder / "plugin"
    said = json.dumps({"apiVersion": PLUGIN_KIND, "kind": "ExecCredential", "status": status})
    program.write_text(f"#!/bin/sh\necho started >> {folder}/log\ncat <<'EOF_OF_IT'\n{said}\nEOF_OF_IT\n")
    program.chmod(0o700)
    return {"exec": {"apiVersion": PLUGIN_KIND, "command": "./plugin"}}


async def test_a_plugin_is_started_once_for_all_who_wait_and_again_when_refused(tmp_path: Path) -> None:
    now = 0.0
    credentials = Kubeconfig(str(write(tmp_path / "config", user=plugin(tmp_path, token="first"))), now=lambda: now)
    accesses = await asyncio.gather(*(credentials.endpoint() for _ in range(20)))
    assert [access.headers for access in accesses] == [bearer("first")] * 20
    now += REFRESH_INTERVAL_SECONDS
    await credentials.endpoint()
    assert (tmp_path / "log").read_text() == "started\n"  # what it gave has no end
    plugin(tmp_path, token="second")
    now += 10
    await credentials.invalidate(await credentials.endpoint())
    assert (await credentials.endpoint()).headers == bearer("second")


async def test_a_plugin_that_fails_is_the_kubeconfigs(tmp_path: Path) -> None:
    file = write(tmp_path / "config", user=plugin(tmp_path))
    with pytest.raises(CredentialsError, match=f"kubeconfig {file}: exec: it gave neither"):
        await Kubeconfig(str(file)).endpoint()


async def test_a_plugin_is_told_of_the_cluster_where_it_wants_to_know(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"an authority")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {"server": "http://one.test", "certificate-authority": "ca.crt", "extensions": [{"name": "b"}, extension]}
    for wants in (True, False):
        user = plugin(tmp_path, token="t")
        user["exec"]["provideClusterInfo"] = wants
        (tmp_path / "plugin").write_text(
            f'#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/told\n{(tmp_path / "plugin").read_text()}'
        )
        await Kubeconfig(str(write(tmp_path / "config", cluster=cluster, user=user))).endpoint()
        told = json.loads((tmp_path / "told").read_text())["spec"].get("cluster")
        assert told == (
            {
                "server": "http://one.test",
                "certificate-authority-data": base64.b64encode(b"an authority").decode(),
                "config": {"audience": "a"},
            }
            if wants
            else None
        )


# --- certificates


@needs_openssl
async def test_a_client_certificate_and_an_authority_are_used_from_files_and_from_data(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.sign("me")

    def data(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    files = ({"certificate-authority": str(authority.certificate)},
             {"client-certificate": str(certificate), "client-key": str(key)})  # fmt: skip
    inline = ({"certificate-authority-data": data(authority.certificate)},
              {"client-certificate-data": data(certificate), "client-key-data": data(key)})  # fmt: skip
    given = (files[0], plugin(tmp_path, clientCertificateData=certificate.read_text(), clientKeyData=key.read_text()))
    script = Script(*[found({})] * 3)
    async with serving(script, authority.server()) as url:
        for cluster, user in (files, inline, given):
            cluster |= {"server": url, "tls-server-name": "server.test"}
            async with KubeClient(
                Kubeconfig(str(write(tmp_path / "config", cluster=cluster, user=user)))
            ) as connection:
                assert (await connection.call("GET", "/a")).ok


@needs_openssl
async def test_a_new_authority_is_trusted_within_a_minute_and_an_old_one_keeps_its_connections(
    authority: Authority, tmp_path: Path
) -> None:
    now = 0.0
    trusted = tmp_path / "ca.crt"
    trusted.write_bytes(authority.certificate.read_bytes())
    cluster = {"server": "https://one.test", "certificate-authority": "ca.crt"}
    credentials = Kubeconfig(str(write(tmp_path / "config", cluster=cluster)), now=lambda: now)
    first = await credentials.endpoint()
    now += REFRESH_INTERVAL_SECONDS
    second = await credentials.endpoint()
    trusted.write_bytes(authority.certificate.read_bytes() + Authority(tmp_path, "new").certificate.read_bytes())
    now += REFRESH_INTERVAL_SECONDS
    third = await credentials.endpoint()
    assert first.tls is second.tls
    assert [len(access.tls.get_ca_certs()) for access in (second, third) if access.tls] == [1, 2]


@virtual
async def test_a_server_is_only_left_unverified_where_that_is_asked_for(tmp_path: Path) -> None:
    cluster = {"server": "https://one.test"}
    strict = await kubeconfig(write(tmp_path / "strict", cluster=cluster)).endpoint()
    lax = await kubeconfig(write(tmp_path / "lax", cluster=cluster | {"insecure-skip-tls-verify": True})).endpoint()
    assert [(access.tls.verify_mode, access.tls.check_hostname) for access in (strict, lax) if access.tls] == [
        (ssl.CERT_REQUIRED, True),
        (ssl.CERT_NONE, False),
    ]


FILES = {
    "an authority that is not there": ({"certificate-authority": "none"}, {}, "File does not exists: "),
    "a certificate that is not there": ({}, {"client-certificate": "none", "client-key": "none"}, "File does not exists: "),
    "a certificate that is none": ({}, {"client-certificate": "config", "client-key": "config"}, "PEM"),
}  # fmt: skip


@pytest.mark.parametrize(("cluster", "user", "said"), FILES.values(), ids=FILES)
def test_a_certificate_that_cannot_be_used_is_said_to_be(
    cluster: dict[str, Any], user: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "config", cluster={"server": "https://one.test"} | cluster, user=user)
    with pytest.raises(CredentialsError, match=f"kubeconfig {file} cannot be used: .*{said}"):
        virtual_clock.run(kubeconfig(file).endpoint())


# --- proxies


@virtual
async def test_the_kubeconfigs_proxy_wins_over_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://of-the-environment:1")
    own = {"server": "https://one.test", "proxy-url": "http://me:secret@own.test:2"}
    assert (await kubeconfig(write(tmp_path / "own", cluster=own)).endpoint()).proxy == own["proxy-url"]
    none = {"server": "https://one.test"}
    assert (await kubeconfig(write(tmp_path / "none", cluster=none)).endpoint()).proxy == "http://of-the-environment:1"
    monkeypatch.setenv("NO_PROXY", "one.test")
    assert (await kubeconfig(write(tmp_path / "none", cluster=none)).endpoint()).proxy is None


def test_a_proxy_that_nobody_speaks_to_is_refused_and_not_repeated(tmp_path: Path) -> None:
    file = write(tmp_path / "config", cluster={"proxy-url": "socks5://me:hunter2@own.test:2"})
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(kubeconfig(file).endpoint())
    assert str(error.value) == (
        f"kubeconfig {file}: its proxy-url is not the URL of an HTTP proxy, such as http://proxy.example:3128"
    )


async def test_calls_go_through_the_proxy(tmp_path: Path) -> None:
    script = Script(status(200))
    async with serving(script) as url:
        file = write(tmp_path / "config", cluster={"server": "http://nowhere.test", "proxy-url": url})
        async with KubeClient(Kubeconfig(str(file))) as connection:
            assert (await connection.call("GET", "/a")).ok
    assert script.calls[0].headers["Host"] == "nowhere.test"
