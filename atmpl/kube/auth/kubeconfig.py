"""Access from a kubeconfig, as kubernetes_asyncio reads it: contexts, certificates, token files, proxies; plugin.py.

Imported only where a kubeconfig is used: in a pod there is none, and kubernetes_asyncio is dear (see incluster.py).
"""

import asyncio
import os
import re
import ssl
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException
from kubernetes_asyncio.config.kube_config import KubeConfigLoader, KubeConfigMerger
from multidict import MultiDict

from atmpl.kube.auth import APIEndpoint, CredentialsError, impersonation_headers
from atmpl.kube.auth.cached import CachedCredentials
from atmpl.kube.auth.exec_plugin import Credential, ExecPlugin
from atmpl.kube.auth.proxy import checked, proxy_for

LARGEST = 2**20  # bytes; a cluster and its user take five thousand
ALIASES = 32  # YAML's; with so few, no file stands for more than 120,000 times itself
LOGIN_TIME = 70.0  # seconds that an OpenID provider may take; a plugin has a little less
TYPES: dict[str, tuple[Any, str]] = {  # fields of a cluster: "false" for false would let everybody be the server
    "server": (str, "a URL"),
    "insecure-skip-tls-verify": (bool | None, "true or false"),
    "tls-server-name": (str | None, "a name"),
    "proxy-url": (str | None, "a URL"),
}

# Fields of a cluster that a plugin is told, where it wants to know them.
TOLD = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")

# As much of the library's messages as is its own: behind it may stand a whole user of the file.
SAID = re.compile(
    r"Invalid kube-config file\. Expected (key [\w-]+|all values in|object with name [^{}]+ list|only one object with "
    r"name [^{}]+ list|[^{}]+ to be a list)"
    r"|File does not exists: .+"
    r"|oidc: [\w ,-]+"
)
NO_CONTEXT = re.compile(r"Invalid kube-config file\. Expected object with name ([^{}]+) in [^{}]*contexts list")


def default_file() -> str:
    """Return the kubeconfig that kubectl would use: KUBECONFIG (a list of files is merged), else ~/.kube/config."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


class Kubeconfig(CachedCredentials):
    """Credentials of a context of a kubeconfig; what expires is renewed in time."""

    def __init__(
        self,
        file: str | None = None,
        context: str | None = None,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(now)
        self._file = file or default_file()
        self._context = context
        self._plugin = ExecPlugin(wall)
        self._merged: Any = None  # the files' content, with the OpenID tokens that were renewed since
        self._merged_of: list[tuple[object, ...]] = []  # the files that it is of: name, time, size, number
        self._namespace = "default"  # the context's
        self._certificates: tuple[object, ...] = ()  # what the TLS context was made from

    async def namespace(self) -> str:
        """Return the context's namespace, or `default`. Raises AccessError."""
        await self.endpoint()
        return self._namespace

    async def _fetch(self, *, refused: bool) -> APIEndpoint:
        if refused:
            self._plugin.forget()
            self._merged_of = []
        try:
            loader = await asyncio.to_thread(self._loader)
            config = Configuration()
            async with asyncio.timeout(LOGIN_TIME):
                await loader.load_and_set(config)
            self._namespace = loader.namespace
            return await asyncio.to_thread(self._made, config, loader)
        except CredentialsError as error:
            raise CredentialsError(f"kubeconfig {self._file}: {error}") from None
        except TimeoutError:
            raise CredentialsError(f"kubeconfig {self._file}: no answer to the login in {LOGIN_TIME:.0f} s") from None
        except Exception as error:  # noqa: BLE001 - the library raises ConfigException, AssertionError, TypeError, OSError, ...
            where = f", context {self._context}" if self._context else ""
            raise CredentialsError(f"kubeconfig {self._file}{where} cannot be used: {_said(error)}") from None

    def _loader(self) -> "_Loader":
        """Read the files where they have changed, which for a large one takes seconds. Blocks."""
        named = [Path(part) for part in self._file.split(os.pathsep) if part]
        files = [path for path in named if path.is_file()]
        if not files:
            why = "this is no regular file" if any(path.exists() for path in named) else "there is no such file"
            raise CredentialsError(f"{why}: name one with --kubeconfig or the variable KUBECONFIG")
        states = [_state(file) for file in files]
        if states != self._merged_of:
            for file in files:
                _measure(file)
            self._merged = KubeConfigMerger(os.pathsep.join(map(str, files))).config
            self._merged_of = states
        return _Loader(self._merged, self._context, self._plugin)

    def _made(self, config: Any, loader: "_Loader") -> APIEndpoint:
        """Make the access of what was read. Blocks: certificates are files."""
        server = str(config.host).rstrip("/")
        token = str(config.api_key.get("BearerToken", "")).strip()
        headers = loader.impersonated
        if token:
            headers["Authorization"] = token
        return APIEndpoint(
            server=server,
            headers=headers,
            tls=self._tls(config, loader.given) if server.startswith("https") else None,
            tls_name=config.tls_server_name or None,
            proxy=checked(config.proxy, "its proxy-url") if config.proxy else proxy_for(server, os.environ),
        )

    def _tls(self, config: Any, given: Credential | None) -> ssl.SSLContext:
        files = (config.ssl_ca_cert, config.cert_file, config.key_file)
        pem = (given.certificate, given.key) if given else ("", "")
        certificates = (config.verify_ssl, pem, *(Path(file).read_bytes() if file else None for file in files))
        if self._access is not None and self._access.tls is not None and certificates == self._certificates:
            return self._access.tls
        context = ssl.create_default_context(cafile=config.ssl_ca_cert)
        if all(pem):
            with tempfile.NamedTemporaryFile("w") as file:  # it is its owner's alone; OpenSSL takes nothing but files
                file.write("\n".join(pem))
                file.flush()
                context.load_cert_chain(file.name)
        elif config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file)
        if not config.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._certificates = certificates
        return context


class _Loader(KubeConfigLoader):
    """The library's, with our plugin, and with what kubectl reads and the library does not."""

    def __init__(self, merged: Any, context: str | None, plugin: ExecPlugin) -> None:
        super().__init__(config_dict=merged, config_base_path=None, active_context=context)
        self._plugin = plugin
        self.given: Credential | None = None  # by the plugin
        self.cert_file: str | None  # the library's, and unset where the user's own is to be taken
        self.key_file: str | None
        cluster = getattr(self._cluster, "value", {})
        for field, (kind, word) in TYPES.items():  # the library takes whatever stands there
            if not isinstance(cluster.get(field), kind):
                raise CredentialsError(f"clusters[].cluster.{field} is not {word}")

    @property
    def namespace(self) -> str:
        """The context's."""
        named = getattr(self._current_context, "value", {})["context"].get("namespace")
        return named if isinstance(named, str) and named else "default"

    @property
    def impersonated(self) -> MultiDict[str]:
        """The headers of the user's `as` and `as-groups`."""
        user = self._user.value if self._user else {}
        name, groups = user.get("as"), user.get("as-groups") or []
        if name is None:
            return MultiDict()
        if not isinstance(name, str) or not isinstance(groups, list) or not all(isinstance(g, str) for g in groups):
            raise CredentialsError("users[].user.as is not a name, or as-groups no list of names")
        return impersonation_headers(name, groups)

    async def load_from_exec_plugin(self) -> bool:
        """Ask the plugin; the library takes the answer for its own plugin's."""
        assert self._user is not None, "who has a plugin is there"
        folder = Path(self._get_base_path(self._user.path))
        plugin = self._user["exec"].value
        cluster = await self._for_plugin() if plugin.get("provideClusterInfo") is True else {}
        self.given = await self._plugin.credential(plugin, folder, cluster)
        if self.given.token:
            self.token = f"Bearer {self.given.token}"
        if self.given.certificate:
            self.cert_file = self.key_file = None  # instead of the user's
        return True

    async def _for_plugin(self) -> dict[str, Any]:
        """Return what a plugin may be told of the cluster: `spec.cluster` of an ExecCredential."""
        node: Any = self._cluster
        cluster = node.value
        told = {field: cluster[field] for field in TOLD if field in cluster}
        authority = cluster.get("certificate-authority")
        if authority and "certificate-authority-data" not in told:
            file = Path(self._get_base_path(node.path)) / authority
            told["certificate-authority-data"] = b64encode(await asyncio.to_thread(file.read_bytes)).decode()
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                told["config"] = extension.get("extension")
        return told


def _state(file: Path) -> tuple[object, ...]:
    """Return what tells one content of a file from another."""
    found = file.stat()
    return file, found.st_mtime_ns, found.st_size, found.st_ino


def _measure(file: Path) -> None:
    """Raise AccessError for a file that would take all memory: it is another one than was meant, or it was made so."""
    with file.open("rb") as opened:
        text = opened.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise CredentialsError(f"{file} is larger than {LARGEST:,} bytes: name another file")
    if sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)) > ALIASES:
        raise CredentialsError(f"{file} has more than {ALIASES} YAML aliases: write out what they stand for")


def _said(error: Exception) -> str:
    """Return what is wrong, without what is in the file or came from a plugin: both hold tokens."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1} is no YAML"
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, ConfigException) and (context := NO_CONTEXT.match(str(error))):
        return f"there is no context {context[1]} in it; `kubectl config get-contexts` lists those that are"
    known = SAID.match(str(error)) if isinstance(error, ConfigException) else None
    return known[0] if known else f"it is not complete ({type(error).__name__}): see `kubectl config view`"
