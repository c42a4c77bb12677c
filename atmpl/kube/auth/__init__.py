"""Credentials for the API server: where it is, how to reach it, and as which user.

`load_credentials` returns those of the pod's service account (in_cluster.py) or of a kubeconfig (kubeconfig.py,
exec_plugin.py). Both refresh themselves (cached.py). proxy.py selects the proxy.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import quote

from multidict import MultiDict

IMPERSONATE: Final = "Impersonate-"  # begins the name of each header of an impersonation


class CredentialsError(Exception):
    """Credentials cannot be loaded. The message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class APIEndpoint:
    """What one call needs to reach the API server as the configured user."""

    server: str  # https://host:port, without a trailing slash
    headers: Mapping[str, str]  # Authorization, if there is a token; can be a multidict
    tls: ssl.SSLContext | None  # None only for plain HTTP
    tls_name: str | None = None  # the name in the server's certificate, if it differs from the host
    proxy: str | None = None

    @property
    def display_url(self) -> str:
        """The server's URL without the user and password that it can contain."""
        return re.sub(r"(?<=//)[^/]*@", "", self.server)


class Credentials(Protocol):
    """A source of APIEndpoint that keeps it up to date."""

    async def endpoint(self) -> APIEndpoint:
        """Return the current endpoint. Cheap: files and plugins are read only if the result can be out of date.

        Raises:
            CredentialsError: the credentials cannot be loaded.
        """

    async def invalidate(self, rejected: APIEndpoint) -> None:
        """Mark the credentials as rejected (401). Has no effect if they were refreshed since `rejected`."""

    async def namespace(self) -> str:
        """Return the default namespace, as kubectl determines it."""


def load_credentials(kubeconfig: str | None, context: str | None, *, interactive: bool = False) -> Credentials:
    """Return the credentials of `kubeconfig` and `context`, else of the pod, else of the default kubeconfig.

    `interactive`: for a user's own command. An exec plugin then shows its messages and can use the terminal.

    Raises:
        CredentialsError: there is no kubeconfig.
    """
    from atmpl.kube.auth.in_cluster import InCluster, in_pod  # noqa: PLC0415 - it imports this module

    if in_pod() and not (kubeconfig or context or os.environ.get("KUBECONFIG")):
        return InCluster()
    with _home_directory():
        from atmpl.kube.auth.kubeconfig import Kubeconfig  # noqa: PLC0415 - not needed in a pod

    return Kubeconfig(kubeconfig, context, interactive=interactive)


@contextmanager
def _home_directory() -> Iterator[None]:
    """Ensure that there is a home directory: the import of kubernetes_asyncio fails without one."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.sep
        try:
            yield
        finally:
            del os.environ["HOME"]
    else:
        yield


def tls_context(ca: bytes) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities in `ca` (PEM), or the system's if it is empty.

    Certificates are checked as kubectl checks them. VERIFY_X509_STRICT, which Python 3.13 sets, is cleared: the CAs of
    EKS and microk8s do not pass it.

    Raises:
        ssl.SSLError: `ca` contains no valid certificate.
    """
    context = ssl.create_default_context(cadata=ca.decode("ascii", "ignore")) if ca else ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def impersonation_headers(
    user: str,
    groups: Sequence[str] = (),
    uid: str | None = None,
    extra: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> MultiDict[str]:
    """Return the headers that make the API server handle a call as `user`.

    Each group, and each value of `extra`, has a header of its own. A key of `extra` is percent-encoded, as client-go
    does it.
    """
    headers = MultiDict([(f"{IMPERSONATE}User", user)])
    if uid is not None:
        headers.add(f"{IMPERSONATE}Uid", uid)
    for group in groups:
        headers.add(f"{IMPERSONATE}Group", group)
    for key, values in extra.items():
        for value in values:
            headers.add(f"{IMPERSONATE}Extra-{quote(key, safe='')}", value)
    return headers


class ImpersonatedCredentials:
    """Credentials that act as another user (`--as`, `--as-group`). They replace the kubeconfig's impersonation."""

    def __init__(self, own: Credentials, user: str, groups: Sequence[str] = ()) -> None:
        self._own = own
        self._impersonation = impersonation_headers(user, groups)

    async def endpoint(self) -> APIEndpoint:
        """Return the endpoint of the own credentials with the impersonation headers."""
        endpoint = await self._own.endpoint()
        headers = MultiDict(
            (name, value) for name, value in endpoint.headers.items() if not name.startswith(IMPERSONATE)
        )
        headers.extend(self._impersonation)
        return replace(endpoint, headers=headers)

    async def invalidate(self, rejected: APIEndpoint) -> None:
        """Mark the own credentials as rejected."""
        await self._own.invalidate(rejected)

    async def namespace(self) -> str:
        """Return the default namespace of the own credentials."""
        return await self._own.namespace()
