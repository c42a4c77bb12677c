"""The proxy for the API server, chosen from the environment as kubectl and all other Go clients do.

Upper case first, then lower case:

- HTTPS_PROXY, HTTP_PROXY: the proxy for an https, http server. `http://` is added if it has no scheme.
- NO_PROXY: servers without a proxy, separated by commas. `*`; `host` and all below it; `.host`, only those below it; an
  address; a CIDR. Each but `*` and a CIDR can end in `:port`.

Loopback addresses never use a proxy of the environment. A kubeconfig's `proxy-url` has priority over all of this.
SOCKS proxies are not supported: aiohttp has no support for them.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from atmpl.kube.auth import CredentialsError

SCHEMES: Final = ("http", "https")


def proxy_for(server: str, environment: Mapping[str, str]) -> str | None:
    """Return the URL of the environment's proxy for a server.

    Raises:
        CredentialsError: it is not a valid URL.
    """
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy".upper()
    proxy = environment.get(name) or environment.get(name.lower())
    exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    if not proxy or _is_exception(parts.hostname or "", port, exceptions):
        return None
    return check_proxy(proxy if "://" in proxy else f"http://{proxy}", f"the variable {name}")


def check_proxy(proxy: str, source: str) -> str:
    """Return a proxy's URL unchanged.

    Raises:
        CredentialsError: it cannot be used. The message names the source, not the URL: it can contain a password.
    """
    try:
        parts = urlsplit(proxy)
        is_valid = parts.scheme in SCHEMES and parts.hostname and (parts.port or True)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise CredentialsError(f"{source} is not the URL of an HTTP proxy, such as http://proxy.example:3128")
    return proxy


def _is_exception(host: str, port: int, exceptions: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in filter(None, (part.strip().lower() for part in exceptions.split(","))):
        if entry == "*":
            return True
        if address is not None and _is_within(address, entry):
            return True
        name, _, only_port = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
        if only_port and int(only_port) != port:
            continue
        name = name.strip("[]").removeprefix("*")
        if host == name or (address is None and host.endswith(name if name.startswith(".") else f".{name}")):
            return True
    return False


def _has_port(entry: str) -> bool:
    host, colon, port = entry.rpartition(":")
    return bool(colon) and port.isdecimal() and (":" not in host or host.endswith("]"))


def _is_within(address: object, entry: str) -> bool:
    try:
        return "/" in entry and address in ip_network(entry, strict=False)
    except ValueError:
        return False
