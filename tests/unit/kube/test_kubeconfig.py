"""Kubeconfigs: contexts, merged files, tokens, certificates, plugins, proxies, and changes of the files."""

import asyncio
import base64
import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from atmpl.kube.auth import CredentialsError
from atmpl.kube.auth.cached import REFRESH_INTERVAL_SECONDS
from atmpl.kube.auth.in_cluster import InCluster
from atmpl.kube.auth.kubeconfig import Kubeconfig, default_files
from atmpl.kube.client import KubeClient
from tests.support import virtual_clock
from tests.support.certificates import Authority, needs_openssl
from tests.support.platforms import needs_posix, posix
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
        "clusters": [{"name": "one", "cluster": {"server": "https://one.test:6443/"} | (cluster or {})}],
        "users": [{"name": "me", "user": user or {}}],
    }
    file.write_text(json.dumps(config))
    return file


def kubeconfig(file: Path, context: str | None = None) -> Kubeconfig:
    return Kubeconfig(str(file), context, virtual_clock.now)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- which file, which context


def test_default_files_are_those_of_kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    assert default_files() == [Path("/a"), Path("/b")]
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_files() == [tmp_path / ".kube" / "config"]


@virtual
async def test_context_is_the_option_or_the_current_one(tmp_path: Path) -> None:
    file = write(tmp_path / "config", user={"token": "mine"})
    config = json.loads(file.read_text())
    config["contexts"].append({"name": "there", "context": {"cluster": "two", "user": "you"}})
    config["clusters"].append({"name": "two", "cluster": {"server": "https://two.test"}})
    config["users"].append({"name": "you", "user": {"username": "u", "password": "p"}})
    file.write_text(json.dumps(config))
    here, there = await kubeconfig(file).endpoint(), await kubeconfig(file, "there").endpoint()
    assert (here.server, here.headers) == ("https://one.test:6443", bearer("mine"))
    assert (there.server, there.headers) == ("https://two.test", {"Authorization": "Basic dTpw"})


@virtual
async def test_files_are_merged_and_missing_ones_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write(tmp_path / "first"), tmp_path / "second"
    config = json.loads(first.read_text())
    second.write_text(json.dumps({"users": [{"name": "me", "user": {"token": "of the second"}}], "clusters": [], "contexts": []}))  # fmt: skip
    first.write_text(json.dumps(config | {"users": []}))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (tmp_path / "none", first, second))))
    access = await Kubeconfig(now=virtual_clock.now).endpoint()
    assert (access.server, access.headers) == ("https://one.test:6443", bearer("of the second"))


def test_missing_kubeconfig_advises_option_and_variable(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(kubeconfig(tmp_path / "none").endpoint())
    assert str(error.value) == (
        f"kubeconfig {tmp_path / 'none'}: no such file; name one with --kubeconfig or the variable KUBECONFIG"
    )


def test_kubeconfig_must_be_a_regular_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path(os.devnull)):
        with pytest.raises(
            CredentialsError, match=rf"kubeconfig {re.escape(str(path))}: not a regular file; name one with"
        ):
            virtual_clock.run(kubeconfig(path).endpoint())


def test_unknown_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(kubeconfig(write(tmp_path / "config"), "there").endpoint())
    assert str(error.value) == (
        f"kubeconfig {tmp_path / 'config'}, context there: there is no context there; "
        "`kubectl config get-contexts` lists all"
    )


# --- what changes


@virtual
async def test_changed_kubeconfig_is_read_within_a_minute(tmp_path: Path) -> None:
    credentials = kubeconfig(write(tmp_path / "config", user={"token": "first"}))
    assert (await credentials.endpoint()).headers == bearer("first")
    write(tmp_path / "config", user={"token": "second"})
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert (await credentials.endpoint()).headers == bearer("second")


@virtual
async def test_broken_kubeconfig_keeps_the_old_credentials(tmp_path: Path) -> None:
    credentials = kubeconfig(write(tmp_path / "config", user={"token": "first"}))
    first = await credentials.endpoint()
    (tmp_path / "config").write_text("{")
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert await credentials.endpoint() is first


@virtual
async def test_token_file_is_read_again_without_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    credentials = kubeconfig(write(tmp_path / "config", user={"tokenFile": "token"}))  # in the folder of the kubeconfig
    assert (await credentials.endpoint()).headers == bearer("first")
    (tmp_path / "token").write_text("second\r\n")
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert (await credentials.endpoint()).headers == bearer("second")


def test_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=re.escape(repr(str(tmp_path / "token")))):
        virtual_clock.run(kubeconfig(write(tmp_path / "config", user={"tokenFile": "token"})).endpoint())


def plugin(folder: Path, **status: str) -> dict[str, Any]:
    needs_posix("shell scripts")
    program = folder / "plugin"
    credential = json.dumps({"apiVersion": PLUGIN_KIND, "kind": "ExecCredential", "status": status})
    program.write_text(f"#!/bin/sh\necho started >> {folder}/log\ncat <<'EOF_OF_IT'\n{credential}\nEOF_OF_IT\n")
    program.chmod(0o700)
    return {"exec": {"apiVersion": PLUGIN_KIND, "command": "./plugin"}}


async def test_plugin_runs_once_and_again_when_refused(tmp_path: Path) -> None:
    now = 0.0
    credentials = Kubeconfig(str(write(tmp_path / "config", user=plugin(tmp_path, token="first"))), now=lambda: now)
    accesses = await asyncio.gather(*(credentials.endpoint() for _ in range(20)))
    assert [access.headers for access in accesses] == [bearer("first")] * 20
    now += REFRESH_INTERVAL_SECONDS
    await credentials.endpoint()
    assert (tmp_path / "log").read_text() == "started\n"  # the token has no expiry
    plugin(tmp_path, token="second")
    now += 10
    await credentials.invalidate(await credentials.endpoint())
    assert (await credentials.endpoint()).headers == bearer("second")


async def test_plugin_failure_names_the_kubeconfig(tmp_path: Path) -> None:
    file = write(tmp_path / "config", user=plugin(tmp_path))
    with pytest.raises(CredentialsError, match=f"kubeconfig {re.escape(str(file))}: exec: the output has neither"):
        await Kubeconfig(str(file)).endpoint()


@needs_openssl
async def test_plugin_gets_cluster_info_if_configured(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.certificate.read_bytes())
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {
        "server": "https://one.test",
        "certificate-authority": "ca.crt",
        "extensions": [{"name": "b"}, extension],
    }
    for wants in (True, False):
        user = plugin(tmp_path, token="t")
        user["exec"]["provideClusterInfo"] = wants
        (tmp_path / "plugin").write_text(
            f'#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/exec_info\n{(tmp_path / "plugin").read_text()}'
        )
        await Kubeconfig(str(write(tmp_path / "config", cluster=cluster, user=user))).endpoint()
        exec_info = json.loads((tmp_path / "exec_info").read_text())["spec"].get("cluster")
        assert exec_info == (
            {
                "server": "https://one.test",
                "certificate-authority-data": base64.b64encode(authority.certificate.read_bytes()).decode(),
                "config": {"audience": "a"},
            }
            if wants
            else None
        )


# --- certificates


@needs_openssl
async def test_certificates_are_used_from_files_and_data(authority: Authority, tmp_path: Path) -> None:
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
async def test_changed_ca_is_trusted_within_a_minute(authority: Authority, tmp_path: Path) -> None:
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
async def test_verification_is_skipped_only_on_request(tmp_path: Path) -> None:
    cluster = {"server": "https://one.test"}
    strict = await kubeconfig(write(tmp_path / "strict", cluster=cluster)).endpoint()
    lax = await kubeconfig(write(tmp_path / "lax", cluster=cluster | {"insecure-skip-tls-verify": True})).endpoint()
    assert [(access.tls.verify_mode, access.tls.check_hostname) for access in (strict, lax) if access.tls] == [
        (ssl.CERT_REQUIRED, True),
        (ssl.CERT_NONE, False),
    ]


FILES = {
    "an authority that is not there": ({"certificate-authority": "none"}, {}, "certificate-authority: .* cannot be read"),
    "a certificate that is not there": ({}, {"client-certificate": "none", "client-key": "none"}, "client-certificate: .* cannot be read"),
    "a certificate that is none": ({}, {"client-certificate": "config", "client-key": "config"}, "PEM"),
}  # fmt: skip


@pytest.mark.parametrize(("cluster", "user", "message"), FILES.values(), ids=FILES)
def test_unusable_certificate_is_named(
    cluster: dict[str, Any], user: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "config", cluster={"server": "https://one.test"} | cluster, user=user)
    with pytest.raises(CredentialsError, match=f"kubeconfig {re.escape(str(file))}: .*{message}"):
        virtual_clock.run(kubeconfig(file).endpoint())


# --- proxies


@virtual
async def test_kubeconfig_proxy_precedes_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://of-the-environment:1")
    own = {"server": "https://one.test", "proxy-url": "http://me:secret@own.test:2"}
    assert (await kubeconfig(write(tmp_path / "own", cluster=own)).endpoint()).proxy == own["proxy-url"]
    none = {"server": "https://one.test"}
    assert (await kubeconfig(write(tmp_path / "none", cluster=none)).endpoint()).proxy == "http://of-the-environment:1"
    monkeypatch.setenv("NO_PROXY", "one.test")
    assert (await kubeconfig(write(tmp_path / "none", cluster=none)).endpoint()).proxy is None


def test_socks_proxy_is_rejected_without_its_password(tmp_path: Path) -> None:
    file = write(tmp_path / "config", cluster={"proxy-url": "socks5://me:hunter2@own.test:2"})
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(kubeconfig(file).endpoint())
    assert str(error.value) == (
        f"kubeconfig {file}: its proxy-url is not the URL of an HTTP proxy, such as http://proxy.example:3128"
    )


async def test_kubeconfig_proxy_is_used(tmp_path: Path) -> None:
    script = Script(status(200))
    async with serving(script) as url:
        file = write(tmp_path / "config", cluster={"server": "http://nowhere.test", "proxy-url": url})
        async with KubeClient(Kubeconfig(str(file))) as connection:
            assert (await connection.call("GET", "/a")).ok
    assert script.calls[0].headers["Host"] == "nowhere.test"


# --- as kubectl


async def test_without_tls_no_token_is_sent_and_no_plugin_is_run(tmp_path: Path) -> None:
    users = ({"token": "t"}, {"username": "u", "password": "p"}, plugin(tmp_path, token="t"))
    for user in users:
        file = write(tmp_path / "config", cluster={"server": "http://one.test"}, user=user)
        assert (await Kubeconfig(str(file)).endpoint()).headers == {}
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("name", ["gcp", "azure", "openstack", "anything"])
async def test_auth_providers_but_oidc_are_rejected(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    config = {"cmd-path": "/usr/bin/touch", "cmd-args": str(marker)}
    file = write(tmp_path / "config", user={"auth-provider": {"name": name, "config": config}})
    with pytest.raises(CredentialsError, match="only supported with the name oidc"):
        await Kubeconfig(str(file)).endpoint()
    assert not marker.exists()


async def test_oidc_login_without_tls_is_rejected(tmp_path: Path) -> None:
    config = {"idp-issuer-url": "http://issuer.test", "client-id": "i", "client-secret": "s", "refresh-token": "r"}
    file = write(tmp_path / "config", user={"auth-provider": {"name": "oidc", "config": config}})
    with pytest.raises(CredentialsError, match="idp-issuer-url must be an https URL"):
        await Kubeconfig(str(file)).endpoint()


@pytest.mark.parametrize("ca", [{"certificate-authority": "ca.crt"}, {"certificate-authority-data": "Y2E="}])
async def test_skipped_verification_with_a_ca_is_rejected(ca: dict[str, str], tmp_path: Path) -> None:
    file = write(tmp_path / "config", cluster=ca | {"insecure-skip-tls-verify": True})
    with pytest.raises(CredentialsError, match="remove one of them"):
        await Kubeconfig(str(file)).endpoint()


@needs_openssl
@virtual
async def test_scheme_in_capitals_is_https(authority: Authority, tmp_path: Path) -> None:
    cluster = {"server": "HTTPS://one.test", "certificate-authority": str(authority.certificate)}
    endpoint = await kubeconfig(write(tmp_path / "config", cluster=cluster)).endpoint()
    assert endpoint.server == "https://one.test"
    assert endpoint.tls is not None
    assert len(endpoint.tls.get_ca_certs()) == 1


@pytest.mark.parametrize("server", ["one.test", "ftp://one.test", "://", "https:one.test"])
def test_server_of_another_scheme_is_rejected(server: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="must be an http or https URL"):
        virtual_clock.run(kubeconfig(write(tmp_path / "config", cluster={"server": server})).endpoint())


@pytest.mark.parametrize("ca", [b"", b" \n"])
def test_empty_ca_is_rejected(ca: bytes, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(ca)
    with pytest.raises(CredentialsError, match="contains no valid CA"):
        virtual_clock.run(
            kubeconfig(write(tmp_path / "config", cluster={"certificate-authority": "ca.crt"})).endpoint()
        )


@needs_openssl
async def test_ca_without_key_usage_is_accepted_as_by_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CAs of EKS and microk8s are like that. VERIFY_X509_STRICT, which Python 3.13 sets, rejects them."""
    usual = ssl.create_default_context

    def create_default_context(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = usual(*args, **kwargs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    authority = Authority(tmp_path, extensions="basicConstraints=critical,CA:TRUE")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.sign("server.test"))
    cluster = {"certificate-authority": str(authority.certificate), "tls-server-name": "server.test"}
    monkeypatch.setattr(ssl, "create_default_context", create_default_context)
    async with serving(Script(found({}), found({})), tls) as url:
        file = write(tmp_path / "config", cluster=cluster | {"server": url})
        async with KubeClient(Kubeconfig(str(file))) as client:
            assert (await client.call("GET", "/a")).ok
        mount = tmp_path / "mount"
        mount.mkdir()
        (mount / "token").write_text("t")
        (mount / "ca.crt").write_bytes(authority.certificate.read_bytes())
        in_cluster = InCluster({"KUBERNETES_SERVICE_HOST": "server.test"}, mount)
        in_cluster._server = url
        assert not (await in_cluster.endpoint()).tls.verify_flags & ssl.VERIFY_X509_STRICT


@needs_openssl
async def test_keys_leave_no_file_behind(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    certificate, key = authority.sign("me")
    data = {
        f"client-{name}-data": base64.b64encode(file.read_bytes()).decode()
        for name, file in (("certificate", certificate), ("key", key))
    }
    given = plugin(tmp_path, clientCertificateData=certificate.read_text(), clientKeyData=key.read_text())
    for user in (data, given):
        await Kubeconfig(str(write(tmp_path / "config", user=user))).endpoint()
        assert list(temporary.iterdir()) == []


# --- files of other tools


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@virtual
async def test_kubeconfig_is_read_in_any_unicode_encoding(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    file = write(tmp_path / "config", user={"token": "mine"})
    config = file.read_text().replace("here", "Zürich")
    file.write_bytes(config.encode(encoding))
    assert (await kubeconfig(file, "Zürich").endpoint()).headers == bearer("mine")


@virtual
async def test_kubeconfig_of_600_clusters_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / "config", user={"token": "mine"})
    config = json.loads(file.read_text())
    ca = base64.b64encode(b"x" * 1500).decode()
    config["clusters"] += [
        {"name": f"c{number}", "cluster": {"server": "https://a", "certificate-authority-data": ca}}
        for number in range(600)
    ]
    file.write_text(yaml.safe_dump(config))
    assert file.stat().st_size > 2**20
    assert (await kubeconfig(file).endpoint()).headers == bearer("mine")


@posix("colons in file names")
@virtual
async def test_kubeconfig_option_is_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    assert (await kubeconfig(write(folder / "config", user={"token": "mine"})).endpoint()).headers == bearer("mine")


@virtual
async def test_first_current_context_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write(tmp_path / "first", user={"token": "first"}), tmp_path / "second"
    second.write_text(json.dumps({"current-context": "none"}))
    monkeypatch.setenv("KUBECONFIG", f"{first}{os.pathsep}{second}")
    assert (await Kubeconfig(now=virtual_clock.now).endpoint()).headers == bearer("first")


NO_HOME = """
import asyncio, os, pwd, sys
def unknown(*_): raise KeyError
pwd.getpwuid = unknown
os.environ.pop("HOME", None)
os.environ.pop("KUBECONFIG", None)
from atmpl.kube.auth import CredentialsError, load_credentials
if len(sys.argv) > 1:
    print(asyncio.run(load_credentials(sys.argv[1], None).endpoint()).server)
else:
    try:
        load_credentials(None, None)
    except CredentialsError as error:
        print("HOME" in str(error))
assert "HOME" not in os.environ
"""


@posix("the module pwd")
def test_kubeconfig_option_needs_no_home_directory(tmp_path: Path) -> None:
    file = write(tmp_path / "config")
    for arguments, expected in (((str(file),), "https://one.test:6443\n"), ((), "True\n")):
        ran = subprocess.run([sys.executable, "-c", NO_HOME, *arguments], capture_output=True, text=True, check=False)
        assert (ran.stdout, ran.stderr) == (expected, "")
