"""Which proxy stands before the API server: as kubectl and every other client in Go decide it from the environment.

| variable (in capitals first, else in lower case) | what it says |
|---|---|
| HTTPS_PROXY, HTTP_PROXY | the proxy for a server of https, of http; without a scheme, `http://` is meant |
| NO_PROXY | servers without one, by commas: `*`; `host`, with all below it; `.host`, only those; an address; a CIDR |

Each but the first and the last may end in `:port`.
Nothing on the loopback goes through a proxy of the environment. A kubeconfig's `proxy-url` wins over all of this.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from atmpl.kube.auth import CredentialsError

SCHEMES = ("http", "https")  # of a proxy; SOCKS is not spoken here


def proxy_for(server: str, environment: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy that the environment names for a server. Raises AccessError for one of no use."""
    where = urlsplit(server)
    name = f"{where.scheme}_proxy".upper()
    proxy = environment.get(name) or environment.get(name.lower())
    spared = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if not proxy or _is_spared(where.hostname or "", where.port or {"https": 443}.get(where.scheme, 80), spared):
        return None
    return checked(proxy if "://" in proxy else f"http://{proxy}", f"the variable {name}")


def checked(proxy: str, source: str) -> str:
    """Return a proxy's URL as it is. Raises AccessError, naming the source and not the URL: it may hold a password."""
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in SCHEMES and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise CredentialsError(f"{source} is not the URL of an HTTP proxy, such as http://proxy.example:3128")
    return proxy


def _is_spared(host: str, port: int, spared: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in filter(None, (part.strip().lower() for part in spared.split(","))):
        if entry == "*":
            return True
        if address is not None and _is_within(address, entry):
            return True
        name, _, only = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
        if only and int(only) != port:
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
