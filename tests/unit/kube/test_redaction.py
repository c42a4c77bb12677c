"""A refusal is passed on without values: status, reason, fields, and names of policies, webhooks and rights."""

import ssl
import tracemalloc

import aiohttp
import orjson
import pytest
from aiohttp.client_reqrep import ConnectionKey

from atmpl.controller.cluster import ClusterError
from atmpl.kube.redaction import MAX_MESSAGE_CHARS, describe_client_error, describe_refusal
from atmpl.kube.response import Response, error_from

TEMPLATE = 'templates.template.openshift.io "golden" is forbidden: '
SENTENCES = {  # messages of Kubernetes 1.36: what is passed on
    (
        'templates.template.openshift.io is forbidden: User "system:serviceaccount:atmpl-system:atmpl-controller" cannot '
        'create resource "templates" in API group "template.openshift.io" in the namespace "team-a"'
    ): (
        '403 Forbidden: cannot create resource "templates" in API group "template.openshift.io" in the namespace "team-a"'
    ),
    'nodes "a" is forbidden: User "u" cannot get resource "nodes/proxy" in API group "" at the cluster scope': (
        '403 Forbidden: cannot get resource "nodes/proxy" in API group ""'
    ),
    TEMPLATE
    + "exceeded quota: few, requested: count/templates=1, used: count/templates=5, limited: count/templates=5": (
        "403 Forbidden: exceeded quota few"
    ),
    TEMPLATE + "ValidatingAdmissionPolicy 'team' with binding 'team-b' denied request: hunter2 is not a password": (
        "403 Forbidden: ValidatingAdmissionPolicy 'team' with binding 'team-b' denied the request"
    ),
    'admission webhook "validate.example.com" denied the request: hunter2 is not a password': (
        '403 Forbidden: admission webhook "validate.example.com" denied the request'
    ),
    'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: Post "https://hunter2"': (
        '403 Forbidden: calling the webhook "v.example.com" failed'
    ),
}


@pytest.mark.parametrize(("message", "expected"), SENTENCES.items())
def test_refusal_keeps_names_of_policies_and_rights(message: str, expected: str) -> None:
    assert describe_refusal(403, "Forbidden", message) == expected


HIDDEN = [  # messages that quote values, and messages that imitate the API server's sentences in the middle
    'T "golden" is invalid: spec.a: Invalid value: "hunter2": must be longer',
    "a: Invalid value: hunter2: must be false",
    'error decoding from json: {"a":{"b":"hunter2',
    "hunter2",
    'the password hunter2\nadmission webhook "hunter2" denied the request',
    TEMPLATE + "ValidatingAdmissionPolicy 'hun ter2' with binding 'b' denied request: no",
    TEMPLATE + 'hunter2: x is forbidden: User "u" cannot get resource "hunter2" in API group ""',
    'admission webhook "hunter2\u009b" denied the request',
]


@pytest.mark.parametrize("message", HIDDEN)
def test_refusal_hides_everything_else(message: str) -> None:
    assert describe_refusal(422, "Invalid", message) == "422 Invalid"


def test_refusal_names_fields_and_their_reasons() -> None:
    fields = [
        ("spec.template.spec.domain.cpu", "FieldValueInvalid"),
        ("metadata.labels[a.example.com/b]", ""),
        ("spec.\x1b[31m", "FieldValueInvalid"),
        ("the password hunter2", "FieldValueInvalid"),
        ("spec.a", "hunter2 is not a reason"),
        ("hunter", "FieldValueInvalid"),
        ("spec.b", "hunter"),
    ]
    assert describe_refusal(422, "Invalid", "hunter2", fields) == (
        "422 Invalid: spec.template.spec.domain.cpu (FieldValueInvalid), metadata.labels[a.example.com/b], spec.a, "
        "spec.b"
    )
    assert (
        describe_refusal(422, "hunter", "", fields[:1])
        == "status 422: spec.template.spec.domain.cpu (FieldValueInvalid)"
    )
    assert len(describe_refusal(422, "Invalid", "", [(f"spec.{'a' * 190}", "FieldValueInvalid")] * 500)) == (
        MAX_MESSAGE_CHARS
    )


UNAVAILABLE = {  # the path of a call: which API is unavailable
    "/apis/template.openshift.io/v1/namespaces/a/templates": "the API template.openshift.io is unavailable (503)",
    "/apis/kubevirt.io/v1/virtualmachines": "the API kubevirt.io is unavailable (503)",
    "/api/v1/namespaces/a/events": "the API server is unavailable (503)",
    "": "the API server is unavailable (503)",
}


@pytest.mark.parametrize(("path", "expected"), UNAVAILABLE.items())
def test_503_names_the_api(path: str, expected: str) -> None:
    assert str(error_from(Response(503, b"service unavailable\n", path=path))) == expected


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 429, 500, 502])
def test_no_response_passes_a_value_on(status: int) -> None:
    body = {"kind": "Status", "message": f'a: Invalid value: "{"x" * 2000}hunter2": no', "reason": "hunter2 "}
    error = error_from(Response(status, orjson.dumps(body)))
    assert isinstance(error, ClusterError)
    assert str(error) == f"status {status}"
    assert "hunter2" in error.server_message


def test_refusal_of_a_large_message_reads_only_its_beginning() -> None:
    message = TEMPLATE + '{["' * 400_000
    tracemalloc.start()
    describe_refusal(403, "Forbidden", message)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(message) / 10


HOST = ConnectionKey("api", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
CLIENT: dict[str, tuple[Exception, str]] = {
    "a header of the peer's": (
        aiohttp.ServerDisconnectedError("HTTP/1.1 200 hunter2"),
        "the connection was closed before the response",
    ),
    "a chunk": (
        aiohttp.ClientPayloadError("Invalid character in chunk size: b'hunter2'"),
        "the response is incomplete",
    ),
    "a status line": (
        aiohttp.ClientResponseError(None, (), status=400, message="Bad status line 'hunter2'"),  # type: ignore[arg-type]
        "the response is not valid HTTP",
    ),
    "a proxy": (
        aiohttp.ClientHttpProxyError(None, (), status=407, message="hunter2"),  # type: ignore[arg-type]
        "the proxy did not connect: status 407",
    ),
    "an address with a password": (
        aiohttp.InvalidURL("https://me:hunter2@"),
        "the server's address is not a valid URL",
    ),
    "an address without a scheme": (
        aiohttp.NonHttpUrlClientError("me:hunter2@host"),
        "the server's address is not an http or https URL",
    ),
    "a token with a line break": (
        ValueError("hunter2"),
        "cannot send the request: the token contains a line break, or the proxy is not valid",
    ),
    "a token that is not text": (
        UnicodeEncodeError("utf-8", "hunter2\ud800", 7, 8, "no"),
        "cannot send the request: the token is not valid text",
    ),
    "a refused connection of the client's": (
        aiohttp.ClientConnectorError(HOST, ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 443)")),
        "cannot connect: [Errno 111] Connect call failed ('192.0.2.1', 443)",
    ),
    "a self-signed certificate": (
        aiohttp.ClientConnectorCertificateError(HOST, ssl.CertificateError("self-signed certificate")),
        "cannot connect: ('self-signed certificate',)",
    ),
    "a connection timeout": (
        aiohttp.ConnectionTimeoutError("Connection timeout to host https://api/?resourceVersion=7"),
        "connect timeout",
    ),
    "a refused connection": (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
    "a timeout": (TimeoutError(), "response timeout"),
    "a timeout within a response": (aiohttp.SocketTimeoutError("Timeout on reading data"), "response timeout"),
    "anything else": (aiohttp.ClientError("hunter2"), "ClientError"),
}


@pytest.mark.parametrize(("error", "expected"), CLIENT.values(), ids=CLIENT)
def test_client_error_hides_quoted_values(error: Exception, expected: str) -> None:
    assert describe_client_error(error) == expected
