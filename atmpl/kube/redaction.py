"""Which parts of other programs' messages may enter a status, an event or a log.

API servers, webhooks and admission policies quote the object that they reject or deny: a template, and so values of a
VM, such as `spec.a: Invalid value: "hunter2"`. A policy's own message is free text and can contain any value. So a
message is not filtered: it is composed again of the status code, the reason, the fields' paths, and the names in the
API server's own sentences, which are recognised from their beginning. Linear in the message's length.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiohttp

MAX_MESSAGE_CHARS: Final = 600
MAX_PREFIX_CHARS: Final = 2_048  # of a server's message that is read: all names are at its beginning
MAX_FIELDS: Final = 10

_NAME = r"[A-Za-z0-9][\w.:/@-]{0,252}"
_SUBJECT = r'[\w./-]{1,253}(?: "[^"]{1,253}")? is forbidden: '  # templates.template.openshift.io "golden" is forbidden:

# The API server's own sentences (1.30 to 1.36), anchored at the beginning, and what is passed on of each.
_SENTENCES: Final = (
    (
        re.compile(
            _SUBJECT + rf'User "[^"]{{1,500}}" cannot (?P<verb>[a-z]{{1,30}}) resource "(?P<resource>{_NAME})" '
            r'in API group "(?P<group>[\w.-]{0,253})"(?: in the namespace "(?P<namespace>[\w.-]{1,63})")?'
        ),
        'cannot {verb} resource "{resource}" in API group "{group}"',
    ),
    (
        re.compile(
            _SUBJECT + rf"ValidatingAdmissionPolicy '(?P<policy>{_NAME})' with binding '(?P<binding>{_NAME})' denied "
        ),
        "ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied the request",
    ),
    (re.compile(_SUBJECT + rf"exceeded quota: (?P<quota>{_NAME}),"), "exceeded quota {quota}"),
    (
        re.compile(rf'admission webhook "(?P<webhook>{_NAME})" denied the request'),
        'admission webhook "{webhook}" denied the request',
    ),
    (
        re.compile(rf'Internal error occurred: failed calling webhook "(?P<webhook>{_NAME})"'),
        'calling the webhook "{webhook}" failed',
    ),
)
# The constants StatusReason and CauseType of apimachinery's meta/v1 and CauseType of core/v1. A webhook can answer with
# any text there.
_REASONS = frozenset(
    [
        "Unauthorized",
        "Forbidden",
        "NotFound",
        "AlreadyExists",
        "Conflict",
        "Gone",
        "Invalid",
        "ServerTimeout",
        "StoreReadError",
        "Timeout",
        "TooManyRequests",
        "BadRequest",
        "MethodNotAllowed",
        "NotAcceptable",
        "RequestEntityTooLarge",
        "UnsupportedMediaType",
        "InternalError",
        "Expired",
        "ServiceUnavailable",
    ]
)
_CAUSES = frozenset(
    [
        "FieldValueNotFound",
        "FieldValueRequired",
        "FieldValueDuplicate",
        "FieldValueInvalid",
        "FieldValueNotSupported",
        "FieldValueForbidden",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
        "InternalError",
        "UnexpectedServerResponse",
        "FieldManagerConflict",
        "ResourceVersionTooLarge",
        "NamespaceTerminating",
    ]
)
_FIELD = re.compile(  # a path in a template, a request or a lease
    r"\.?(?:apiVersion|kind|labels|message|metadata|objects|parameters|spec|status)(?:[.\[][\w.\[\]/$:-]{0,200})?",
    re.ASCII,
)
_GROUP = re.compile(r"/apis/([a-z0-9.-]{1,253})/")


def describe_refusal(
    code: int, reason: str = "", message: str = "", fields: Sequence[tuple[str, str]] = (), path: str = ""
) -> str:
    """Return the message of a response that is not ok, without the values that it quotes.

    `fields` are the paths of `details.causes` and their reasons; `path` is the path of the call.
    """
    if code == 503:
        return f"{_api(path)} is unavailable (503)"
    parts = [part for part in (_sentence(message), _field_list(fields)) if part]
    status = f"{code} {reason}" if reason in _REASONS else f"status {code}"
    return f"{status}: {'; '.join(parts)}"[:MAX_MESSAGE_CHARS] if parts else status


def _api(path: str) -> str:
    """Return the API of a path: each group can be served by a program of its own."""
    group = _GROUP.match(path)
    return f"the API {group[1]}" if group else "the API server"


def _sentence(message: str) -> str:
    message = message[:MAX_PREFIX_CHARS]
    for pattern, text in _SENTENCES:
        if match := pattern.match(message):
            names = match.groupdict()
            where = f' in the namespace "{names["namespace"]}"' if names.get("namespace") else ""
            return text.format(**names) + where
    return ""


def _field_list(fields: Sequence[tuple[str, str]]) -> str:
    shown = [
        f"{field} ({reason})" if reason in _CAUSES else field
        for field, reason in fields[:MAX_FIELDS]
        if _FIELD.fullmatch(field)
    ]
    return ", ".join(shown)


# aiohttp's errors quote what they could not read: a status line, a header, a chunk. The first match counts.
_CLIENT_ERRORS: Final[dict[type[Exception], Callable[[Any], str]]] = {
    aiohttp.ClientConnectorCertificateError: lambda error: f"cannot connect: {error.certificate_error}",
    aiohttp.ClientConnectorError: lambda error: f"cannot connect: {error.os_error}",
    aiohttp.ConnectionTimeoutError: lambda _: "connect timeout",
    aiohttp.ServerDisconnectedError: lambda _: "the connection was closed before the response",
    aiohttp.ClientPayloadError: lambda _: "the response is incomplete",
    aiohttp.ClientHttpProxyError: lambda error: f"the proxy did not connect: status {error.status}",
    aiohttp.ClientResponseError: lambda _: "the response is not valid HTTP",
    aiohttp.InvalidURL: lambda _: "the server's address is not a valid URL",
    aiohttp.NonHttpUrlClientError: lambda _: "the server's address is not an http or https URL",
    TimeoutError: lambda _: "response timeout",
    OSError: str,  # certificates, names, sockets: the system's message and an address
    UnicodeError: lambda _: "cannot send the request: the token is not valid text",
    ValueError: lambda _: "cannot send the request: the token contains a line break, or the proxy is not valid",
}


def describe_client_error(error: Exception) -> str:
    """Return why a call failed, without anything that was sent or received."""
    describe = next((describe for kind, describe in _CLIENT_ERRORS.items() if isinstance(error, kind)), lambda _: "")
    return describe(error) or type(error).__name__
