"""A pod's service account: rotated tokens and CAs, and invalid files."""

import asyncio
import os
import ssl
import stat
from pathlib import Path

import pytest

from atmpl.kube.auth import CredentialsError
from atmpl.kube.auth.cached import REFRESH_INTERVAL_SECONDS
from atmpl.kube.auth.in_cluster import InCluster, in_pod, own_namespace
from tests.support import virtual_clock
from tests.support.certificates import Authority, needs_openssl
from tests.support.platforms import WINDOWS, posix
from tests.support.virtual_clock import virtual

pytestmark = needs_openssl
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("authorities")
    one, two = (Authority(folder, name).certificate.read_bytes() for name in ("one", "two"))
    return one, two


@pytest.fixture
def mount(tmp_path: Path, authorities: tuple[bytes, bytes]) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(authorities[0])
    (tmp_path / "namespace").write_text("a-namespace\n")
    return tmp_path


@virtual
async def test_in_cluster_uses_the_pods_address_and_token(mount: Path) -> None:
    access = await InCluster(POD, mount, virtual_clock.now).endpoint()
    assert access.server == "https://10.0.0.1:443"
    assert access.headers == {"Authorization": "Bearer first"}  # without the line end
    assert access.tls is not None
    assert (access.tls.verify_mode, access.tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (access.tls_name, access.proxy) == (None, None)


ADDRESSES = {
    "IPv6": ({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, "https://[fd00::1]:6443"),
    "no port": ({"KUBERNETES_SERVICE_HOST": "api"}, "https://api:443"),
    "an empty port": ({"KUBERNETES_SERVICE_HOST": "api", "KUBERNETES_SERVICE_PORT": ""}, "https://api:443"),
}


@pytest.mark.parametrize(("environment", "server"), ADDRESSES.values(), ids=ADDRESSES)
def test_in_cluster_accepts_ipv4_ipv6_and_names(environment: dict[str, str], server: str, mount: Path) -> None:
    assert virtual_clock.run(InCluster(environment, mount, virtual_clock.now).endpoint()).server == server


@virtual
async def test_in_cluster_uses_the_environments_proxy(mount: Path) -> None:
    proxied = POD | {"HTTPS_PROXY": "proxy.test:3128"}
    assert (await InCluster(proxied, mount, virtual_clock.now).endpoint()).proxy == "http://proxy.test:3128"
    excluded = proxied | {"NO_PROXY": ".cluster.local,10.0.0.0/16"}
    assert (await InCluster(excluded, mount, virtual_clock.now).endpoint()).proxy is None


@virtual
async def test_rotated_token_is_read_within_a_minute(mount: Path) -> None:
    credentials = InCluster(POD, mount, virtual_clock.now)
    first = await credentials.endpoint()
    replacement = mount / "..new"
    replacement.write_text("second")
    replacement.rename(mount / "token")  # as the kubelet does
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS - 1)
    assert await credentials.endpoint() is first
    await asyncio.sleep(1)
    second = await credentials.endpoint()
    assert second.headers == {"Authorization": "Bearer second"}
    assert second.tls is first.tls  # connections are kept


@virtual
async def test_refused_token_is_read_again_at_once(mount: Path) -> None:
    credentials = InCluster(POD, mount, virtual_clock.now)
    first = await credentials.endpoint()
    await asyncio.sleep(10)
    (mount / "token").write_text("second")
    await credentials.invalidate(first)
    assert (await credentials.endpoint()).headers == {"Authorization": "Bearer second"}


@virtual
async def test_rotated_ca_is_trusted_within_a_minute(mount: Path, authorities: tuple[bytes, bytes]) -> None:
    credentials = InCluster(POD, mount, virtual_clock.now)
    first = await credentials.endpoint()
    (mount / "ca.crt").write_bytes(authorities[0] + authorities[1])  # both, while it is replaced
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    second = await credentials.endpoint()
    assert (first.tls is not None, second.tls is not None) == (True, True)
    assert [len(access.tls.get_ca_certs()) for access in (first, second) if access.tls] == [1, 2]


@virtual
async def test_missing_files_keep_the_old_credentials(mount: Path) -> None:
    credentials = InCluster(POD, mount, virtual_clock.now)
    first = await credentials.endpoint()
    (mount / "token").rename(mount / "elsewhere")
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert await credentials.endpoint() is first


WRONG: dict[str, tuple[str, bytes | None, str]] = {  # file, content (None: absent), error
    "no token": (
        "token",
        None,
        "cannot be read (No such file or directory); check that the pod mounts its service account",
    ),
    "an empty token": ("token", b" \n", "is empty; the kubelet writes it: see the pod's events"),
    "no authority": ("ca.crt", None, "cannot be read (No such file or directory)"),
    "an empty authority": ("ca.crt", b"", "contains no valid CA certificate"),
    "an authority that is none": ("ca.crt", b"hello", "contains no valid CA certificate"),
    "an authority of bytes": ("ca.crt", b"\xff\x00", "contains no valid CA certificate"),
}


@pytest.mark.parametrize(("name", "content", "message"), WRONG.values(), ids=WRONG)
def test_invalid_service_account_file_is_named(name: str, content: bytes | None, message: str, mount: Path) -> None:
    (mount / name).unlink()
    if content is not None:
        (mount / name).write_bytes(content)
    with pytest.raises(CredentialsError) as error:
        virtual_clock.run(InCluster(POD, mount, virtual_clock.now).endpoint())
    assert str(error.value).startswith(f"{mount / name} {message}")


@posix("file modes")
@pytest.mark.skipif(not WINDOWS and os.geteuid() == 0, reason="root reads everything")
def test_unreadable_token_is_named(mount: Path) -> None:
    (mount / "token").chmod(stat.S_IWUSR)
    with pytest.raises(CredentialsError, match=r"token cannot be read \(Permission denied\)"):
        virtual_clock.run(InCluster(POD, mount, virtual_clock.now).endpoint())


def test_in_cluster_outside_a_pod_advises_kubeconfig() -> None:
    assert in_pod(POD)
    assert not in_pod({})
    with pytest.raises(CredentialsError, match="this is not a pod; name a kubeconfig with --kubeconfig"):
        InCluster({})


def test_in_cluster_namespace_is_the_pods(mount: Path) -> None:
    assert own_namespace({"ATMPL_SERVICE_ACCOUNT": str(mount)}) == "a-namespace"
    assert own_namespace({"ATMPL_SERVICE_ACCOUNT": str(mount / "nowhere")}) == "atmpl-system"
