"""Credentials inside a pod: the service account that the kubelet mounts, and the environment.

kubernetes_asyncio is not used here: a pod needs nothing else of it.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from atmpl.kube.auth import APIEndpoint, CredentialsError, tls_context
from atmpl.kube.auth.cached import CachedCredentials
from atmpl.kube.auth.proxy import proxy_for

MOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MOUNT_VARIABLE: Final = "ATMPL_SERVICE_ACCOUNT"  # the folder to use instead of MOUNT, for tests outside a pod


def in_pod(environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if this process runs in a pod that can reach the API server."""
    return "KUBERNETES_SERVICE_HOST" in environment


def own_namespace(environment: Mapping[str, str] = os.environ) -> str:
    """Return the namespace of this pod; outside a pod the one that config/manager creates."""
    try:
        return (Path(environment.get(MOUNT_VARIABLE) or MOUNT) / "namespace").read_text().strip()
    except OSError:
        return "atmpl-system"


class InCluster(CachedCredentials):
    """Credentials of the pod's service account. Token and CA are read again when they are rotated."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        mount: Path | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the server from the environment.

        Raises:
            CredentialsError: the environment has none.
        """
        super().__init__(now)
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT") or "443"
        if not host:
            raise CredentialsError(
                "KUBERNETES_SERVICE_HOST is not set, so this is not a pod; name a kubeconfig with --kubeconfig"
            )
        self._server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self._proxy = proxy_for(self._server, environment)
        self._mount = mount or Path(environment.get(MOUNT_VARIABLE) or MOUNT)
        self._ca = b""  # of the TLS context

    async def namespace(self) -> str:
        """Return the pod's namespace."""
        return self._file("namespace").decode("ascii", "replace").strip() or "default"

    async def _fetch(self, *, rejected: bool) -> APIEndpoint:  # noqa: ARG002 - the files are the origin
        return await asyncio.to_thread(self._read)

    def _read(self) -> APIEndpoint:
        token, ca = self._file("token").strip(), self._file("ca.crt")
        if not token:
            raise CredentialsError(f"{self._mount / 'token'} is empty; the kubelet writes it: see the pod's events")
        tls = self._current.tls if self._current and ca == self._ca else _tls_context(ca, self._mount / "ca.crt")
        self._ca = ca
        headers = {"Authorization": f"Bearer {token.decode('ascii', 'replace')}"}
        return APIEndpoint(self._server, headers, tls, proxy=self._proxy)

    def _file(self, name: str) -> bytes:
        try:
            return (self._mount / name).read_bytes()
        except OSError as error:
            raise CredentialsError(
                f"{self._mount / name} cannot be read ({error.strerror}); check that the pod mounts its service account"
            ) from error


def _tls_context(ca: bytes, path: Path) -> ssl.SSLContext:
    if not ca.strip():  # without a CA, the context would trust all public authorities
        raise CredentialsError(f"{path} contains no valid CA certificate: it is empty")
    try:
        return tls_context(ca)
    except (ssl.SSLError, ValueError) as error:
        raise CredentialsError(f"{path} contains no valid CA certificate: {error}") from error
