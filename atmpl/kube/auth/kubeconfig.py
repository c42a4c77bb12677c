"""Credentials from a kubeconfig, used as kubectl uses them.

kubernetes_asyncio selects context, user and cluster, and logs in with OpenID Connect. Files, certificates and plugins
are read here: it would leave keys in temporary files, decode files with the locale's encoding, and send tokens without
TLS. This module is imported only if a kubeconfig is used.
"""

import asyncio
import os
import re
import ssl
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from multidict import MultiDict

from atmpl.kube.auth import APIEndpoint, CredentialsError, impersonation_headers, tls_context
from atmpl.kube.auth.cached import CachedCredentials
from atmpl.kube.auth.exec_plugin import INTERACTIVE_TIMEOUT_SECONDS, Credential, ExecPlugin
from atmpl.kube.auth.kubeconfig_library import ConfigException, ConfigNode, Configuration, KubeConfigLoader
from atmpl.kube.auth.proxy import check_proxy, proxy_for

MAX_FILE_BYTES: Final = 16 * 2**20  # 600 clusters are 1 MiB
MAX_ALIASES: Final = 32  # YAML's; with so few, a file cannot expand to more than 120,000 times its size
LOGIN_TIMEOUT_SECONDS: Final = 70.0  # of an OpenID provider; a plugin's own timeout is shorter
OIDC: Final = "oidc"
LISTS: Final = ("clusters", "contexts", "users")

# kubernetes_asyncio accepts any value. The string "false" for the boolean would switch the verification off.
CLUSTER_TYPES: Final[dict[str, tuple[Any, str]]] = {
    "server": (str, "a URL"),
    "insecure-skip-tls-verify": (bool | None, "true or false"),
    "tls-server-name": (str | None, "a name"),
    "proxy-url": (str | None, "a URL"),
    "certificate-authority": (str | None, "a file"),
    "certificate-authority-data": (str | None, "base64"),
}

# Fields of a cluster that are passed to a plugin with provideClusterInfo.
PLUGIN_CLUSTER_FIELDS: Final = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)

# The parts of kubernetes_asyncio's messages that are its own: a user's entry of the file can follow.
SAFE_LIBRARY_MESSAGES: Final = re.compile(
    r"Invalid kube-config file\. Expected (key [\w-]+|all values in|object with name [^{}]+ list|only one object with "
    r"name [^{}]+ list|[^{}]+ to be a list)"
    r"|oidc: [\w ,-]+"
)
NO_CONTEXT: Final = re.compile(r"Invalid kube-config file\. Expected object with name ([^{}]+) in [^{}]*contexts list")

_YamlLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast


def default_files() -> list[Path]:
    """Return the files that kubectl would use: those of KUBECONFIG, which is a list, else ~/.kube/config.

    Raises:
        CredentialsError: there is no home directory.
    """
    if variable := os.environ.get("KUBECONFIG"):
        return [Path(part) for part in variable.split(os.pathsep) if part]
    try:
        return [Path.home() / ".kube" / "config"]
    except RuntimeError:
        raise CredentialsError(
            "no kubeconfig: there is no home directory; set HOME or KUBECONFIG, or use --kubeconfig"
        ) from None


class Kubeconfig(CachedCredentials):
    """Credentials of a context of a kubeconfig. What expires is refreshed in time."""

    def __init__(
        self,
        file: str | None = None,
        context: str | None = None,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        *,
        interactive: bool = False,
    ) -> None:
        """Select the files. `file` is one file, also if its name contains a colon.

        `interactive`: a user's own command, whose terminal a plugin may use.

        Raises:
            CredentialsError: there is no home directory.
        """
        super().__init__(now)
        self._files = [Path(file)] if file else default_files()
        self._context = context
        self._plugin = ExecPlugin(wall, interactive=interactive)
        self._login_timeout = INTERACTIVE_TIMEOUT_SECONDS + 10 if interactive else LOGIN_TIMEOUT_SECONDS
        self._merged: Any = None  # the content of the files, with the OpenID tokens that were refreshed since
        self._merged_states: list[tuple[object, ...]] = []  # of the files in `_merged`: name, time, size, inode
        self._namespace = "default"  # the context's
        self._tls_material: tuple[object, ...] = ()  # of the current TLS context

    async def namespace(self) -> str:
        """Return the context's namespace, or `default`.

        Raises:
            CredentialsError: the kubeconfig cannot be used.
        """
        await self.endpoint()
        return self._namespace

    async def _fetch(self, *, rejected: bool) -> APIEndpoint:
        if rejected:
            self._plugin.forget()
            self._merged_states = []
        try:
            loader = await asyncio.to_thread(self._load)
            config = Configuration()
            async with asyncio.timeout(self._login_timeout):
                await loader.load_and_set(config)
            self._namespace = loader.namespace
            return await asyncio.to_thread(self._endpoint, config, loader)
        except CredentialsError as error:
            raise CredentialsError(f"kubeconfig {self._name}: {error}") from None
        except TimeoutError:
            raise CredentialsError(
                f"kubeconfig {self._name}: the login did not finish within {self._login_timeout:.0f} s"
            ) from None
        except Exception as error:  # noqa: BLE001 - kubernetes_asyncio raises TypeError, AssertionError, KeyError, ...
            context = f", context {self._context}" if self._context else ""
            raise CredentialsError(f"kubeconfig {self._name}{context}: {_safe_message(error)}") from None

    @property
    def _name(self) -> str:
        return os.pathsep.join(map(str, self._files))

    def _load(self) -> "_Loader":
        """Read the files if they have changed. Blocks: a large file takes seconds."""
        files = [path for path in self._files if path.is_file()]
        if not files:
            exists = any(path.exists() for path in self._files)
            problem = "not a regular file" if exists else "no such file"
            raise CredentialsError(f"{problem}; name one with --kubeconfig or the variable KUBECONFIG")
        states = [_state(file) for file in files]
        if states != self._merged_states:
            self._merged = _merge(files)
            self._merged_states = states
        return _Loader(self._merged, self._context, self._plugin)

    def _endpoint(self, config: Any, loader: "_Loader") -> APIEndpoint:
        """Return the endpoint. Blocks: certificates are files."""
        server = loader.server
        headers = loader.impersonation
        token = str(config.api_key.get("BearerToken", "")).strip()
        if token:
            headers["Authorization"] = token
        proxy = loader.cluster.get("proxy-url")
        return APIEndpoint(
            server=server,
            headers=headers,
            tls=self._tls(loader) if loader.has_tls else None,
            tls_name=loader.cluster.get("tls-server-name") or None,
            proxy=check_proxy(proxy, "its proxy-url") if proxy else proxy_for(server, os.environ),
        )

    def _tls(self, loader: "_Loader") -> ssl.SSLContext:
        material = (loader.is_verified, *loader.tls_material())
        if self._current is not None and self._current.tls is not None and material == self._tls_material:
            return self._current.tls
        _, ca, certificate, key = material
        try:
            context = tls_context(ca)
        except (ssl.SSLError, ValueError) as error:
            raise CredentialsError(f"certificate-authority contains no valid CA certificate: {error}") from None
        if certificate:
            _load_certificate(context, certificate, key)
        if not loader.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._tls_material = material
        return context


class _Loader(KubeConfigLoader):
    """kubernetes_asyncio's loader with our plugins and certificates, and with kubectl's rules."""

    def __init__(self, merged: Any, context: str | None, plugin: ExecPlugin) -> None:
        self._cluster: Any
        self.provider: Any
        super().__init__(config_dict=merged, config_base_path=None, active_context=context)
        self._plugin = plugin
        self._credential: Credential | None = None  # of the plugin
        self.cluster: dict[str, Any] = self._cluster.value
        for field, (kind, expected) in CLUSTER_TYPES.items():
            if not isinstance(self.cluster.get(field), kind):
                raise CredentialsError(f"clusters[].cluster.{field} must be {expected}")
        self.is_verified = not self.cluster.get("insecure-skip-tls-verify")
        self.has_ca = bool(self.cluster.get("certificate-authority") or self.cluster.get("certificate-authority-data"))
        if self.has_ca and not self.is_verified:
            raise CredentialsError(
                "clusters[].cluster has a certificate-authority and insecure-skip-tls-verify; remove one of them"
            )
        scheme, separator, rest = self.cluster["server"].partition("://")
        if not separator or scheme.lower() not in ("http", "https"):
            raise CredentialsError("clusters[].cluster.server must be an http or https URL")
        self.server = f"{scheme.lower()}://{rest}".rstrip("/")
        self.has_tls = scheme.lower() == "https"

    @property
    def namespace(self) -> str:
        """The context's."""
        name = getattr(self._current_context, "value", {})["context"].get("namespace")
        return name if isinstance(name, str) and name else "default"

    @property
    def impersonation(self) -> MultiDict[str]:
        """The headers of the user's `as`, `as-uid`, `as-groups` and `as-user-extra`."""
        user = self._user.value if self._user else {}
        name, uid = user.get("as"), user.get("as-uid")
        groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
        if name is None:
            if uid or groups or extra:
                raise CredentialsError("users[].user.as-uid, as-groups and as-user-extra require as; add it")
            return MultiDict()
        if not isinstance(name, str) or not isinstance(uid, str | None) or not _is_text_list(groups):
            raise CredentialsError("users[].user.as and as-uid must be texts, and as-groups a list of names")
        if not isinstance(extra, dict) or not all(isinstance(k, str) and _is_text_list(extra[k]) for k in extra):
            raise CredentialsError("users[].user.as-user-extra must be a mapping of lists of texts")
        return impersonation_headers(name, groups, uid, extra)

    async def _load_authentication(self) -> None:
        """Load the user's credentials; without TLS none, as kubectl: they could be read on their way."""
        if self.provider and self.provider != OIDC:
            raise CredentialsError(
                "users[].user.auth-provider is only supported with the name oidc; use users[].user.exec instead"
            )
        if self.has_tls:
            await super()._load_authentication()

    async def _refresh_oidc(self, provider: Any) -> None:
        if not str(provider["config"]["idp-issuer-url"]).lower().startswith("https://"):
            raise CredentialsError("oidc: idp-issuer-url must be an https URL")
        await super()._refresh_oidc(provider)

    def _load_cluster_info(self) -> None:
        """Do nothing: `Kubeconfig` takes the cluster's fields itself."""

    async def load_from_exec_plugin(self) -> bool:
        """Run our plugin; the base class uses its token."""
        assert self._user is not None, "a user with a plugin exists"
        plugin = self._user["exec"].value
        cluster = await asyncio.to_thread(self._plugin_cluster) if plugin.get("provideClusterInfo") is True else {}
        self._credential = await self._plugin.credential(plugin, self._folder(self._user), cluster)
        if self._credential.token:
            self.token = f"Bearer {self._credential.token}"
        return True

    def tls_material(self) -> tuple[bytes, bytes, bytes]:
        """Return the CA, the client certificate and its key, each PEM or empty. Blocks."""
        ca = self._content(self._cluster, "certificate-authority")
        if self.has_ca and not ca.strip():  # without a CA, all public authorities would be trusted
            raise CredentialsError("certificate-authority contains no valid CA certificate: it is empty")
        if self._credential is not None and self._credential.certificate:
            return ca, self._credential.certificate.encode(), self._credential.key.encode()
        certificate, key = self._content(self._user, "client-certificate"), self._content(self._user, "client-key")
        if bool(certificate) != bool(key):
            raise CredentialsError("users[].user needs both client-certificate and client-key, or neither")
        return ca, certificate, key

    def _content(self, node: Any, field: str) -> bytes:
        """Return the content of `field`-data, else of the file that `field` names, else nothing."""
        values = node.value if node else {}
        if data := values.get(f"{field}-data"):
            try:
                return b64decode(data)
            except (TypeError, ValueError):
                raise CredentialsError(f"{field}-data must be base64") from None
        if not (name := values.get(field)):
            return b""
        if not isinstance(name, str):
            raise CredentialsError(f"{field} must be a file")
        file = self._folder(node) / name
        try:
            return file.read_bytes()
        except OSError as error:
            raise CredentialsError(f"{field}: {file} cannot be read ({error.strerror})") from None

    def _folder(self, node: Any) -> Path:
        """Return the folder of the file that a node is from: paths in it are relative to that."""
        return Path(self._get_base_path(node.path))

    def _plugin_cluster(self) -> dict[str, Any]:
        """Return `spec.cluster` of an ExecCredential."""
        info: dict[str, Any] = {field: self.cluster[field] for field in PLUGIN_CLUSTER_FIELDS if field in self.cluster}
        if "certificate-authority-data" not in info and (ca := self._content(self._cluster, "certificate-authority")):
            info["certificate-authority-data"] = b64encode(ca).decode()
        for extension in self.cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                info["config"] = extension.get("extension")
        return info


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a client certificate. OpenSSL reads it only from files: they are ours alone, and removed at once."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "certificate", Path(folder) / "key"
        for file, content in zip(files, (certificate, key), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(content)
        try:
            context.load_cert_chain(
                files[0], files[1], password=lambda: ""
            )  # otherwise OpenSSL prompts on the terminal
        except (ssl.SSLError, ValueError) as error:
            raise CredentialsError(
                f"client-certificate and client-key are not a valid pair of PEM files: {error}"
            ) from None


def _state(file: Path) -> tuple[object, ...]:
    """Return what distinguishes one content of a file from another."""
    stat = file.stat()
    return file, stat.st_mtime_ns, stat.st_size, stat.st_ino


def _merge(files: list[Path]) -> ConfigNode:
    """Merge files as kubectl does: of each name, and of current-context, the first one counts."""
    merged: dict[str, Any] = {name: [] for name in LISTS}
    for file in files:
        config = _parse(file)
        if config is None:  # an empty file
            continue
        if not isinstance(config, dict):
            raise CredentialsError(f"{file} is not a kubeconfig")
        for name in LISTS:
            known = {node.value["name"] for node in merged[name]}
            nodes = [ConfigNode(f"{name}[]", item, str(file)) for item in config.get(name) or []]
            merged[name] += [node for node in nodes if node.value["name"] not in known]
        if config.get("current-context"):
            merged.setdefault("current-context", config["current-context"])
    return ConfigNode("kube-config", merged, str(files[0]))


def _parse(file: Path) -> Any:
    """Parse a file. PyYAML recognises UTF-8 and UTF-16 in bytes, in any locale.

    Raises:
        CredentialsError: it would take all memory. It is the wrong file, or made for that.
    """
    with file.open("rb") as stream:
        text = stream.read(MAX_FILE_BYTES + 1)
    if len(text) > MAX_FILE_BYTES:
        raise CredentialsError(f"{file} is larger than {MAX_FILE_BYTES:,} bytes; name another file")
    aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_YamlLoader))
    if aliases > MAX_ALIASES:
        raise CredentialsError(f"{file} has more than {MAX_ALIASES} YAML aliases; replace them by what they refer to")
    return yaml.load(text, Loader=_YamlLoader)  # noqa: S506 - a safe loader


def _safe_message(error: Exception) -> str:
    """Return the problem without anything from the file or a plugin: both contain tokens."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1} is not valid YAML"
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, ConfigException) and (context := NO_CONTEXT.match(str(error))):
        return f"there is no context {context[1]}; `kubectl config get-contexts` lists all"
    own = SAFE_LIBRARY_MESSAGES.match(str(error)) if isinstance(error, ConfigException) else None
    return own[0] if own else f"the file is not complete ({type(error).__name__}); see `kubectl config view`"


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
