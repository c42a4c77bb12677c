"""Access from a kubeconfig, as kubernetes_asyncio reads it: contexts, plugins, certificates, token files, proxies.

Imported only where a kubeconfig is used: in a pod there is none, and kubernetes_asyncio is dear (see incluster.py).
"""

import asyncio
import os
import re
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException, load_kube_config
from multidict import MultiDict

from atmpl.kube import impersonation
from atmpl.kube.access import Access, AccessError

LARGEST = 2**20  # bytes; a cluster and its user take five thousand
ALIASES = 32  # YAML's; with so few, no file stands for more than 120,000 times itself
PLUGIN_TIME = 60.0  # seconds a plugin may take; nobody is there to type a password
TYPES: dict[str, tuple[Any, str]] = {  # fields of a cluster: "false" for false would let everybody be the server
    "server": (str, "a URL"),
    "insecure-skip-tls-verify": (bool | None, "true or false"),
    "tls-server-name": (str | None, "a name"),
    "proxy-url": (str | None, "a URL"),
}
REREAD = 60.0  # seconds; a token file may be rotated and a plugin's token expires

# As much of the library's messages as is its own: behind it may stand a whole user of the file, or a plugin's words.
SAID = re.compile(
    r"Invalid kube-config file\. Expected (key [\w-]+|all values in|object with name [^{}]+ list|only one object with "
    r"name [^{}]+ list|[^{}]+ to be a list)"
    r"|File does not exists: .+"
    r"|exec: (process returned -?\d+|failed to decode process output|malformed (request|response)\. (missing key '\w+'|"
    r"invalid args list)|plugin api version)"
    r"|oidc: [\w ,-]+"
)
PLUGIN_SPEAKS = "; it is the command at users[].user.exec: run it by hand to see what it says"


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

    async def namespace(self) -> str:
        """Return the context's namespace, or `default`. Raises AccessError."""
        await self.access()
        named = self._loader.current_context["context"].get("namespace")
        return named if isinstance(named, str) and named else "default"

    async def _load(self) -> Access:
        known = [part for part in self._file.split(os.pathsep) if _is_file(part)]
        if not known:
            raise AccessError(
                f"there is no kubeconfig at {self._file}: name one with --kubeconfig or the variable KUBECONFIG"
            )
        config = Configuration()
        try:
            for part in known:
                _measure(Path(part))
            async with asyncio.timeout(PLUGIN_TIME):
                await self._fill(config, known)
            return self._made(config)
        except AccessError:
            raise
        except TimeoutError:
            raise AccessError(f"kubeconfig {self._file}: no answer of the plugin in {PLUGIN_TIME:.0f} s") from None
        except Exception as error:  # noqa: BLE001 - the library raises ConfigException, AssertionError, TypeError, OSError, ...
            where = f", context {self._context}" if self._context else ""
            raise AccessError(f"kubeconfig {self._file}{where} cannot be used: {_said(error)}") from None

    async def _fill(self, config: Configuration, files: list[str]) -> None:
        if self._loader is None or not hasattr(self._loader, "exec_plugin_expiry"):
            self._loader = await load_kube_config(
                os.pathsep.join(files), self._context, client_configuration=config, persist_config=False
            )
        else:  # a plugin is asked again only when what it gave is about to expire
            await self._loader.load_and_set(config)
        cluster = self._loader._cluster.value  # noqa: SLF001 - the library takes whatever stands there
        for field, (kind, word) in TYPES.items():
            if not isinstance(cluster.get(field), kind):
                raise AccessError(f"kubeconfig {self._file}: clusters[].cluster.{field} is not {word}")

    def _made(self, config: Any) -> Access:
        server = str(config.host).rstrip("/")
        token = str(config.api_key.get("BearerToken", "")).strip()
        tls = None
        if server.startswith("https"):
            tls = self._tls(config)
        headers = self._impersonated()
        if token:
            headers["Authorization"] = token
        return Access(
            server=server,
            headers=headers,
            tls=tls,
            tls_name=config.tls_server_name or None,
            proxy=config.proxy or None,
        )

    def _impersonated(self) -> MultiDict[str]:
        """Return the headers of the user's `as` and `as-groups`; the library does not know them."""
        user = self._loader._user.value if self._loader._user else {}  # noqa: SLF001
        name, groups = user.get("as"), user.get("as-groups") or []
        if name is None:
            return MultiDict()
        if not isinstance(name, str) or not isinstance(groups, list) or not all(isinstance(g, str) for g in groups):
            raise AccessError(f"kubeconfig {self._file}: users[].user.as is not a name, or as-groups no list of names")
        return impersonation.headers(name, groups)

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


def _measure(file: Path) -> None:
    """Raise AccessError for a file that would take all memory: it is another one than was meant, or it was made so."""
    with file.open("rb") as opened:
        text = opened.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise AccessError(f"kubeconfig {file} is larger than {LARGEST:,} bytes: name another file")
    if sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)) > ALIASES:
        raise AccessError(f"kubeconfig {file} has more than {ALIASES} YAML aliases: write out what they stand for")


def _said(error: Exception) -> str:
    """Return what is wrong, without what is in the file or came from a plugin: both hold tokens."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1} is no YAML"
    if isinstance(error, OSError):
        return str(error)
    known = SAID.match(str(error)) if isinstance(error, ConfigException) else None
    if known:
        return known[0] + (PLUGIN_SPEAKS if known[0].startswith("exec: ") else "")
    return f"it is not complete ({type(error).__name__}): see `kubectl config view`"
