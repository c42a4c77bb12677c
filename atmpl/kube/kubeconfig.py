"""Access from a kubeconfig, as kubernetes_asyncio reads it: contexts, plugins, certificates, token files, proxies.

Imported only where a kubeconfig is used: in a pod there is none, and kubernetes_asyncio is dear (see incluster.py).
"""

import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import load_kube_config

from atmpl.kube.access import Access, AccessError

REREAD = 60.0  # seconds; a token file may be rotated and a plugin's token expires


def default_file() -> str:
    """Return the kubeconfig that kubectl would use: KUBECONFIG (a list of files is merged), else ~/.kube/config."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


class Kubeconfig:
    """Credentials of a context of a kubeconfig; what expires is renewed in time."""

    def __init__(
        self, file: str | None = None, context: str | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = file or default_file()
        self._context = context
        self._now = now
        self._loader: Any = None
        self._access: Access | None = None
        self._read_at = 0.0
        self._certificates: tuple[object, ...] = ()  # what the TLS context was made from

    async def access(self) -> Access:
        """Return the access; token files and the expiry of a plugin's token are looked at once a minute."""
        if self._access is None or self._now() - self._read_at >= REREAD:
            self._access = await self._load()
            self._read_at = self._now()
        return self._access

    async def renew(self) -> None:
        """Ask the plugin, or read the files, at the next call."""
        self._loader = None
        self._read_at = -REREAD

    async def _load(self) -> Access:
        known = [part for part in self._file.split(os.pathsep) if _is_file(part)]
        if not known:
            raise AccessError(
                f"there is no kubeconfig at {self._file}: name one with --kubeconfig or the variable KUBECONFIG"
            )
        config = Configuration()
        try:
            if self._loader is None or not hasattr(self._loader, "exec_plugin_expiry"):
                self._loader = await load_kube_config(
                    os.pathsep.join(known), self._context, client_configuration=config, persist_config=False
                )
            else:  # a plugin is asked again only when what it gave is about to expire
                await self._loader.load_and_set(config)
            return self._made(config)
        except AccessError:
            raise
        except Exception as error:  # noqa: BLE001 - the library raises ConfigException, AssertionError, TypeError, OSError, ...
            where = f", context {self._context}" if self._context else ""
            raise AccessError(f"kubeconfig {self._file}{where} cannot be used: {_said(error)}") from None

    def _made(self, config: Any) -> Access:
        server = str(config.host).rstrip("/")
        token = str(config.api_key.get("BearerToken", "")).strip()
        tls = None
        if server.startswith("https"):
            tls = self._tls(config)
        return Access(
            server=server,
            headers={"Authorization": token} if token else {},
            tls=tls,
            tls_name=config.tls_server_name or None,
            proxy=config.proxy or None,
        )

    def _tls(self, config: Any) -> ssl.SSLContext:
        files = (config.ssl_ca_cert, config.cert_file, config.key_file)
        certificates = (config.verify_ssl, *(Path(file).read_bytes() if file else None for file in files))
        if self._access is not None and self._access.tls is not None and certificates == self._certificates:
            return self._access.tls
        context = ssl.create_default_context(cafile=config.ssl_ca_cert)
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file)
        if not config.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._certificates = certificates
        return context


def _is_file(path: str) -> bool:
    return Path(path).is_file()


def _said(error: Exception) -> str:
    return str(error) or f"it is not complete ({type(error).__name__}): see `kubectl config view`"
