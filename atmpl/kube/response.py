"""What the API server answered, and what that means."""

import re
from typing import Any, Final, NamedTuple

import orjson

from atmpl.controller.cluster import (
    AlreadyExistsError,
    APINotFoundError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NamespaceTerminatingError,
    TooLargeError,
    UnavailableError,
)
from atmpl.kube.redaction import redact

MAX_JSON_DEPTH: Final = (
    500  # levels that stay: more than any template may have, so that a VM which is too deep still is
)

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)
QUOTED = 600  # characters of a server's message that are passed on


class Response(NamedTuple):
    """Status, body and what else of an answer is looked at."""

    status: int
    body: bytes
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """Return the body. Raises UnavailableError where it is no JSON object: something else answered, a proxy say."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            found = _deep(self.body)
        if not isinstance(found, dict):
            raise UnavailableError(f"status {self.status} without a JSON object")
        return found


class Status(NamedTuple):
    """A `meta/v1 Status`, as far as it is of use. All empty where the body is none."""

    reason: str = ""
    message: str = ""
    causes: tuple[str, ...] = ()
    kind: str = ""  # details.kind: of what object it speaks
    retry_after: float | None = None  # seconds


def status_from(answer: Response, sent: bytes = b"") -> Status:
    """Read the Status in an answer to a call whose body was `sent`; nothing of it is believed to have the right type.

    Its message comes without the values that it quotes.
    """
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or found.get("kind") != "Status":
        return Status(retry_after=_seconds(answer.retry_after))
    details = found.get("details")
    details = details if isinstance(details, dict) else {}
    causes = details.get("causes")
    return Status(
        reason=_word(found.get("reason")),
        message=redact(_word(found.get("message")), sent)[:QUOTED],
        causes=tuple(_word(c.get("reason")) for c in causes if isinstance(c, dict)) if isinstance(causes, list) else (),
        kind=_word(details.get("kind")),
        retry_after=_seconds(answer.retry_after) or _seconds(details.get("retryAfterSeconds")),
    )


def error_from(answer: Response, sent: bytes = b"") -> ClusterError:
    """Return what an answer that is not ok means; `sent` is the body of the call, where there was one."""
    status = status_from(answer, sent)
    message = status.message or f"status {answer.status}"
    match answer.status, status.reason:
        case 403, _ if "NamespaceTerminating" in status.causes:
            return NamespaceTerminatingError(message)
        case 403, _:
            return ForbiddenError(message)
        case 404, "":  # the plain one, of a path that nobody serves; a missing object is a Status
            return APINotFoundError(message)
        case 404, _ if status.kind == "namespaces":
            return NamespaceTerminatingError(message)
        case 404, _:
            return ConflictError(message)
        case 409, "AlreadyExists":
            return AlreadyExistsError(message)
        case 409, _:
            return ConflictError(message)
        case 422, "Invalid" if not status.kind:
            # A JSON patch that cannot be applied: its `test` met another object than the one judged. The server says
            # no more than "an error in our request"; of an object that is invalid it names the kind (measured).
            return ConflictError(message)
        case ((400 | 422), _):
            return InvalidError(message)
        case 413, _:
            return TooLargeError(message)
        case 500, _ if "too large" in message or "trying to send message larger" in message:
            return TooLargeError(message)
        case _:
            return UnavailableError(message, status.retry_after)


def _deep(body: bytes) -> Any:
    """Return what is no JSON to the decoder, unless it is but too deep for it."""
    try:
        return orjson.loads(prune_deep_json(body))
    except orjson.JSONDecodeError:
        return None


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, int | str) else None
    except ValueError:  # Retry-After may be a date; the API server writes seconds
        return None
    return min(seconds, 300.0) if seconds is not None and seconds > 0 else None


def prune_deep_json(text: bytes) -> bytes:
    """Return a JSON text in which each object and list below MAX_JSON_DEPTH others is `null`. Linear in its length.

    An API server stores 10,000 levels, for example in managedFields, and orjson and msgspec stop near 1,000. The fields
    that this project reads are never that deep.
    """
    kept: list[bytes] = []
    level = start = 0
    for token in _TOKEN.finditer(text):
        match text[token.start()]:
            case 0x5B | 0x7B:  # [ {
                level += 1
                if level == MAX_JSON_DEPTH + 1:
                    kept += (text[start : token.start()], b"null")
            case 0x5D | 0x7D:  # ] }
                level -= 1
                if level == MAX_JSON_DEPTH:
                    start = token.end()
    if level <= MAX_JSON_DEPTH:  # else it is no JSON: left for the decoder to say
        kept.append(text[start:])
    return b"".join(kept)
