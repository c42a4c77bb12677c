"""Access from inside a pod: the service account that the kubelet mounts, and its environment.

Written here and not taken from kubernetes_asyncio because a pod needs nothing else of it, and importing it costs 0.45 s
and 35 MiB (measured).
"""

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from atmpl.kube.auth import APIEndpoint, CredentialsError
from atmpl.kube.auth.cached import CachedCredentials
from atmpl.kube.auth.proxy import proxy_for

MOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MOUNT_ELSEWHERE = (
    "ATMPL_SERVICE_ACCOUNT"  # environment: the folder to use instead, where this is no pod but is to be one
)


def in_pod(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in a pod that may speak to the API server."""
    return "KUBERNETES_SERVICE_HOST" in environment


def own_namespace(environment: Mapping[str, str] = os.environ) -> str:
    """Return the namespace of this pod; of the one that config/manager makes where this is no pod."""
    try:
        return (Path(environment.get(MOUNT_ELSEWHERE) or MOUNT) / "namespace").read_text().strip()
    except OSError:
        return "atmpl-system"


class InCluster(CachedCredentials):
    """Credentials of the pod's service account; token and CA are read again as they are rotated."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        mount: Path | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the server from the environment. Raises AccessError where it names none."""
        super().__init__(now)
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT") or "443"
        if not host:
            raise CredentialsError(
                "KUBERNETES_SERVICE_HOST is not set: this is no pod; name a kubeconfig with --kubeconfig"
            )
        self._server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self._proxy = proxy_for(self._server, environment)
        self._mount = mount or Path(environment.get(MOUNT_ELSEWHERE) or MOUNT)
        self._ca = b""  # what the TLS context was made from

    async def namespace(self) -> str:
        """Return the pod's own namespace."""
        return self._file("namespace").decode("ascii", "replace").strip() or "default"

    async def _fetch(self, *, refused: bool) -> APIEndpoint:  # noqa: ARG002 - the files are the very source
        return await asyncio.to_thread(self._read)

    def _read(self) -> APIEndpoint:
        token, ca = self._file("token").strip(), self._file("ca.crt")
        if not token:
            raise CredentialsError(f"{self._mount / 'token'} is empty: the kubelet writes it; see the pod's events")
        tls = self._access.tls if self._access and ca == self._ca else _trusting(ca, self._mount / "ca.crt")
        self._ca = ca
        headers = {"Authorization": f"Bearer {token.decode('ascii', 'replace')}"}
        return APIEndpoint(self._server, headers, tls, proxy=self._proxy)

    def _file(self, name: str) -> bytes:
        try:
            return (self._mount / name).read_bytes()
        except OSError as error:
            raise CredentialsError(
                f"{self._mount / name} cannot be read ({error.strerror}): does the pod mount its service account?"
            ) from error


def _trusting(ca: bytes, path: Path) -> ssl.SSLContext:
    if not ca.strip():  # of nothing, ssl would make a trust in all the world's authorities
        raise CredentialsError(f"{path} holds no certificate of an authority: it is empty")
    try:
        return ssl.create_default_context(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise CredentialsError(f"{path} holds no certificate of an authority: {error}") from error
