"""How the API server is reached: where it is, and who we are. Two ways to learn it: incluster.py and kubeconfig.py."""

import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple, Protocol


class CredentialsError(Exception):
    """No way to the API server can be made out. The message says which file is wrong, and what to do."""


class APIEndpoint(NamedTuple):
    """What one call needs to reach the API server as us."""

    server: str  # https://host:port, without a slash at the end
    headers: Mapping[str, str]  # Authorization, where there is a token; may be a multidict
    tls: ssl.SSLContext | None  # None only for plain http
    tls_name: str | None = None  # the name in the server's certificate, where it is not the host's
    proxy: str | None = None

    @property
    def address(self) -> str:
        """The server for people: without the user and the password that a URL may hold."""
        return re.sub(r"(?<=//)[^/]*@", "", self.server)


class Credentials(Protocol):
    """A source of Access that keeps it fresh."""

    async def access(self) -> APIEndpoint:
        """Return what to use now. Cheap: a file or a plugin is asked only when its answer may be out of date."""

    async def renew(self, refused: APIEndpoint) -> None:
        """Take note that the server does not know who comes with this (401): look anew, unless that was done since."""

    async def namespace(self) -> str:
        """Return the namespace to work in where nobody names one, as kubectl does."""
