"""The error that a response means, by status, reason, kind and causes."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

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
from atmpl.kube.response import Response, error_from, parse_status


def status(code: int, reason: str = "", message: str = "", **details: Any) -> Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details or None}
    return Response(code, orjson.dumps(body))


PLAIN = b"404 page not found\n"
MEANINGS: dict[str, tuple[Response, type[ClusterError]]] = {
    "403": (status(403, "Forbidden", "no"), ForbiddenError),
    "403 in plain text": (Response(403, b"no"), ForbiddenError),
    "403 of a terminating namespace": (
        status(403, "Forbidden", "no", causes=[{"reason": "NamespaceTerminating"}]),
        NamespaceTerminatingError,
    ),
    "404 of an object": (status(404, "NotFound", "no", kind="templates"), ConflictError),
    "404 of a namespace": (status(404, "NotFound", "no", kind="namespaces"), NamespaceTerminatingError),
    "404 of a path": (Response(404, PLAIN), APINotFoundError),
    "404 of a page": (Response(404, b"<html>Not Found</html>"), APINotFoundError),
    "409 of a name": (status(409, "AlreadyExists", "no"), AlreadyExistsError),
    "409 of a version": (status(409, "Conflict", "no"), ConflictError),
    "empty 409": (Response(409, b""), ConflictError),
    "422 of a patch's test": (status(422, "Invalid", "the server rejected our request"), ConflictError),
    "422 of an object": (status(422, "Invalid", "no", kind="Template"), InvalidError),
    "empty 422": (Response(422, b""), InvalidError),
    "400": (status(400, "BadRequest", "no"), InvalidError),
    "413": (status(413, "RequestEntityTooLarge", "no"), TooLargeError),
    "500 of etcd": (status(500, "", "etcdserver: request is too large"), TooLargeError),
    "500 of gRPC": (status(500, "", "trying to send message larger than max (3 vs. 2)"), TooLargeError),
    "500": (status(500, "InternalError", "no"), UnavailableError),
    "401": (status(401, "Unauthorized"), UnavailableError),
    "429": (status(429, "TooManyRequests"), UnavailableError),
    "503": (Response(503, b""), UnavailableError),
    "504": (status(504, "Timeout"), UnavailableError),
    "a redirection": (Response(302, b""), UnavailableError),
    "an unknown status": (Response(599, b""), UnavailableError),
}


@pytest.mark.parametrize(("answer", "meaning"), MEANINGS.values(), ids=MEANINGS)
def test_response_means_one_error(answer: Response, meaning: type[ClusterError]) -> None:
    assert type(error_from(answer)) is meaning
    assert not answer.ok


AFTER: dict[str, tuple[Response, float | None]] = {  # the response, and its Retry-After in seconds
    "nothing": (status(429, "TooManyRequests"), None),
    "a header": (Response(429, b"", "7"), 7),
    "a header of 503": (Response(503, b"", "7"), 7),
    "its Status": (status(429, "TooManyRequests", retryAfterSeconds=5), 5),
    "both": (replace(status(429, "TooManyRequests", retryAfterSeconds=5), retry_after="7"), 7),
    "a date": (Response(503, b"", "Fri, 31 Dec 2049 23:59:59 GMT"), None),
    "a date, and its Status": (replace(status(503, "x", retryAfterSeconds=5), retry_after="Fri, 31 Dec 2049"), 5),
    "a fraction": (Response(503, b"", "0.5"), 0.5),
    "nothing at all": (Response(503, b"", "0"), None),
    "less": (Response(503, b"", "-5"), None),
    "a year": (Response(503, b"", "31536000"), 300),
    "no end": (Response(503, b"", "inf"), 300),
    "no number": (Response(503, b"", "nan"), None),
    "true": (status(503, "x", retryAfterSeconds=True), 1),
    "a list": (status(503, "x", retryAfterSeconds=[5]), None),
}


@pytest.mark.parametrize(("answer", "seconds"), AFTER.values(), ids=AFTER)
def test_retry_after_is_limited_to_5_minutes(answer: Response, seconds: float | None) -> None:
    error = error_from(answer)
    assert isinstance(error, UnavailableError)
    assert error.retry_after == seconds


def test_error_text_hides_values_and_keeps_them_for_the_user() -> None:
    error = error_from(status(422, "Invalid", 'spec.a: Invalid value: "hunter2": no', kind="Template"))
    assert str(error) == "422 Invalid"
    assert error.server_message == 'spec.a: Invalid value: "hunter2": no'
    assert str(error_from(Response(502, b"<html>"))) == "status 502"


STRANGE = [b"", b"null", b"[]", b'"Status"', b"{}", b'{"kind": "Status"}', b"\xff", b'{"kind": "Status", "details": [1]}',
           b'{"kind": "Status", "reason": 1, "message": [], "details": {"causes": {"a": 1}, "kind": 5}}',
           b'{"kind": "Status", "details": {"causes": [1, {"reason": 2}]}}']  # fmt: skip


@pytest.mark.parametrize("body", STRANGE)
def test_invalid_status_counts_as_empty(body: bytes) -> None:
    found = parse_status(Response(503, body))
    assert (found.reason, found.message, found.kind, found.retry_after) == ("", "", "", None)
    assert set(found.causes) <= {""}


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"<html>", b'{"a": 1'])
def test_body_must_be_a_json_object(body: bytes) -> None:
    with pytest.raises(UnavailableError, match="status 200 without a JSON object"):
        Response(200, body).json()
