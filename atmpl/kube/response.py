"""A response of the API server, and which error it means."""

import re
from dataclasses import dataclass
from typing import Any, Final

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
from atmpl.kube.redaction import describe_refusal

MAX_JSON_DEPTH: Final = 500  # levels; more than a template may have, so that a VM that is too deep is still rejected
MAX_RETRY_AFTER_SECONDS: Final = 300.0

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Response:
    """A response, as far as it is used."""

    status: int
    body: bytes
    retry_after: str | None = None  # the header
    path: str = ""  # of the call

    @property
    def ok(self) -> bool:
        """Return True if the call succeeded."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """Return the body.

        Raises:
            UnavailableError: it is not a JSON object; it can be a proxy's page.
        """
        try:
            parsed = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            parsed = _parse_deep_json(self.body)
        if not isinstance(parsed, dict):
            raise UnavailableError(f"status {self.status} without a JSON object")
        return parsed


@dataclass(frozen=True, slots=True)
class Status:
    """The fields of a `meta/v1 Status`. All are empty if the body is something else."""

    reason: str = ""
    message: str = ""  # the server's own: it can quote the object that was sent
    causes: tuple[str, ...] = ()  # details.causes[].reason
    kind: str = ""  # details.kind
    retry_after: float | None = None  # seconds
    description: str = ""  # safe for all readers; see redaction.py


def parse_status(response: Response) -> Status:
    """Return the Status in a response. No field is trusted to have the right type."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or body.get("kind") != "Status":
        return Status(
            retry_after=_seconds(response.retry_after),
            description=describe_refusal(response.status, path=response.path),
        )
    details = body.get("details")
    details = details if isinstance(details, dict) else {}
    causes = details.get("causes")
    causes = [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    reason, message = _text(body.get("reason")), _text(body.get("message"))
    fields = [(_text(cause.get("field")), _text(cause.get("reason"))) for cause in causes]
    return Status(
        reason=reason,
        message=message,
        causes=tuple(_text(cause.get("reason")) for cause in causes),
        kind=_text(details.get("kind")),
        retry_after=_seconds(response.retry_after) or _seconds(details.get("retryAfterSeconds")),
        description=describe_refusal(response.status, reason, message, fields, response.path),
    )


def error_from(response: Response) -> ClusterError:
    """Return the error that a response means that is not ok.

    Its text is safe for all readers. `server_message` is the server's own, for the user who made the call.
    """
    status = parse_status(response)
    error = _classify(response, status)
    error.server_message = status.message
    return error


def _classify(response: Response, status: Status) -> ClusterError:
    text = status.description
    match response.status, status.reason:
        case 403, _ if "NamespaceTerminating" in status.causes:
            return NamespaceTerminatingError(text)
        case 403, _:
            return ForbiddenError(text)
        case 404, "":  # plain text: the path is not served; a missing object is a Status
            return APINotFoundError(text)
        case 404, _ if status.kind == "namespaces":
            return NamespaceTerminatingError(text)
        case 404, _:  # of an object to be written, which existed when it was read
            return ConflictError(text)
        case 409, "AlreadyExists":
            return AlreadyExistsError(text)
        case 409, _:
            return ConflictError(text)
        case 422, "Invalid" if not status.kind:
            # A JSON patch that cannot be applied: its `test` met another object. The server only sends "an error in our
            # request"; for an invalid object it names the kind (measured).
            return ConflictError(text)
        case ((400 | 422), _):
            return InvalidError(text)
        case 413, _:
            return TooLargeError(text)
        case 500, _ if "too large" in status.message or "trying to send message larger" in status.message:
            return TooLargeError(f"{text}: the object is too large")
        case _:
            return UnavailableError(text, status.retry_after)


def prune_deep_json(text: bytes) -> bytes:
    """Return a JSON text in which each object and list below MAX_JSON_DEPTH others is `null`. Linear in its length.

    An API server stores 10,000 levels, for example in managedFields, and orjson and msgspec stop near 1,000. The fields
    that this project reads are never that deep.
    """
    parts: list[bytes] = []
    level = start = 0
    for token in _TOKEN.finditer(text):
        match text[token.start()]:
            case 0x5B | 0x7B:  # [ {
                level += 1
                if level == MAX_JSON_DEPTH + 1:
                    parts += (text[start : token.start()], b"null")
            case 0x5D | 0x7D:  # ] }
                level -= 1
                if level == MAX_JSON_DEPTH:
                    start = token.end()
    if level <= MAX_JSON_DEPTH:  # otherwise it is not valid JSON: the decoder will reject it
        parts.append(text[start:])
    return b"".join(parts)


def _parse_deep_json(body: bytes) -> Any:
    """Return the parsed JSON if it is only too deep for the decoder; None if it is not valid."""
    try:
        return orjson.loads(prune_deep_json(body))
    except orjson.JSONDecodeError:
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, int | str) else None
    except ValueError:  # Retry-After can be a date; the API server writes seconds
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds is not None and seconds > 0 else None
