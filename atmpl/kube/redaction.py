"""What others say is passed on, but for the values that they quote: a message ends in a status and in the log.

API servers, webhooks and admission policies repeat what they refuse: `spec.a: Invalid value: "hunter2": must be ...`.
What they refuse is a template, so it is a VM's own data. Two sieves, one after the other:

- by form: quoted text, JSON objects and the values of field errors go; names in the places where the API server's own
  sentences have them stay;
- by content: each line and each word with a digit that stands in what was sent goes, wherever it is repeated.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiohttp
import orjson

CUT: Final = "…"
LONGEST: Final = 16_384  # characters of a message that are looked at: some repeat a whole object, of a megabyte
SHORTEST: Final = 8  # characters: what is shorter is only cut where its form tells it

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*(?:"|\Z)', re.DOTALL)  # Go's %q and JSON; the end of a long one may be missing
_OBJECT = re.compile(r"\{[^{}]+\}")  # `{}` is Go's: map[string]interface {}
_PLAIN = re.compile(r"(?<=value: )\[.*?\](?=[:,\]]|\Z)|(?<=value: )(?!…)[^\s:,\]]+|(?<=Not found: )(?!…)[^\s:,\]]+")
_WORD = re.compile(rf"""[^\s"'`:;,=()<>\[\]{{}}]{{{SHORTEST},}}""")
_DIGIT = re.compile(r"\d")
_LEVELS: Final = 20  # objects inside one another that are taken apart; what is deeper goes with all that follows

# The words before a name, and those after one, in what the API server itself says.
_BEFORE: Final = re.compile(r"\b(?:User|resource|group|namespaces?|webhook|field|kind|version)\s\Z")
_AFTER: Final = re.compile(r" (?:is forbidden|is invalid|not found|already exists)\b|: the object has been modified\b")
_NOT_SECRET: Final = {"apiVersion", "kind"}  # fields whose text says what a thing is, not what is in it


def redact(message: str, sent: bytes = b"") -> str:
    """Return what an API server said without the values in it; `sent` is the body that it answers, JSON or nothing."""
    message = message[:LONGEST]
    message = _QUOTED.sub(lambda quoted: quoted[0] if _is_name(message, quoted) else CUT, message)
    message = _PLAIN.sub(CUT, _without_objects(message))
    for text in sorted(_repeated(message, sent), key=len, reverse=True) if sent else ():
        message = message.replace(text, CUT)
    return message


def _is_name(message: str, quoted: re.Match[str]) -> bool:
    before = message[max(0, quoted.start() - 12) : quoted.start()]
    return bool(_BEFORE.search(before) or _AFTER.match(message, quoted.end()))


def _without_objects(message: str) -> str:
    for _ in range(_LEVELS):
        shorter = _OBJECT.sub(CUT, message)
        if shorter == message:
            break
        message = shorter
    left = re.search(r"\{[^}]", message)
    return f"{message[: left.start()]}{CUT}" if left else message


def _repeated(message: str, sent: bytes) -> set[str]:
    """Return what of `sent` the message repeats: lines, as they are and escaped, and words."""
    text = "\n".join(_texts(orjson.loads(sent)))
    lines = set(map(str.strip, text.splitlines()))
    escaped = {orjson.dumps(line).decode()[1:-1] for line in lines if '"' in line or "\\" in line}
    words = {word for word in set(_WORD.findall(text)) if word in message and _DIGIT.search(word)}
    return {line for line in lines | escaped if len(line) >= SHORTEST and line in message} | words


def _texts(sent: Any) -> Iterator[str]:
    """Yield each text in `sent`. What names the object that was sent is left out: messages speak of it."""
    metadata = sent.get("metadata") if isinstance(sent, dict) else None
    own = {metadata.get("name"), metadata.get("namespace")} if isinstance(metadata, dict) else set()
    left = [sent]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left += (value for key, value in item.items() if key not in _NOT_SECRET)
        elif isinstance(item, list):
            left += item
        elif isinstance(item, str) and item not in own:
            yield item


# The HTTP client's errors quote what they could not read: an answer's first line, a header, a chunk. The first counts.
_CLIENT: Final[dict[type[Exception], Callable[[Any], str]]] = {
    aiohttp.ClientConnectorCertificateError: lambda error: f"no connection: {error.certificate_error}",
    aiohttp.ClientConnectorError: lambda error: f"no connection: {error.os_error}",
    aiohttp.ConnectionTimeoutError: lambda _: "no connection in time",
    aiohttp.ServerDisconnectedError: lambda _: "the connection was closed before there was an answer",
    aiohttp.ClientPayloadError: lambda _: "the answer broke off",
    aiohttp.ClientHttpProxyError: lambda error: f"the proxy refused: status {error.status}",
    aiohttp.ClientResponseError: lambda _: "the answer is no HTTP",
    aiohttp.InvalidURL: lambda _: "the server's address is no URL",
    aiohttp.NonHttpUrlClientError: lambda _: "the server's address is no http or https URL",
    TimeoutError: lambda _: "no answer in time",
    OSError: str,  # certificates, names, sockets, timeouts: the system's words and an address
    UnicodeError: lambda _: "it cannot be sent: the token is no text",
    ValueError: lambda _: "it cannot be sent: is there a line break in the token, or a proxy that is none?",
}


def describe_client_error(error: Exception) -> str:
    """Return why a call failed, without anything that was sent or that came back."""
    words = next((words for kind, words in _CLIENT.items() if isinstance(error, kind)), lambda _: "")
    return words(error) or type(error).__name__
