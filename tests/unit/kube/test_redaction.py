"""What an API server says comes without values; what it says of names and rights comes whole."""

import ssl
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.client_reqrep import ConnectionKey

from atmpl.controller.cluster import ClusterError
from atmpl.kube.redaction import describe_client_error, redact
from atmpl.kube.response import QUOTED, Response, error_from

WHOLE = [  # messages of Kubernetes 1.36, of which nothing may go
    (
        'templates.template.openshift.io is forbidden: User "system:serviceaccount:atmpl-system:atmpl-controller" cannot '
        'create resource "templates" in API group "template.openshift.io" in the namespace "team-a"'
    ),
    (
        'templates.template.openshift.io "golden" is forbidden: exceeded quota: few, requested: count/templates=1, used: '
        "count/templates=5, limited: count/templates=5"
    ),
    (
        "templates.template.openshift.io \"golden\" is forbidden: ValidatingAdmissionPolicy 'team' with binding 'team' denied "
        "request: every template needs the label team"
    ),
    'admission webhook "validate.example.com" denied the request: every template needs the label team',
    'templates.template.openshift.io "golden" already exists',
    'namespaces "team-a" not found',
    (
        'Operation cannot be fulfilled on templates.template.openshift.io "golden": the object has been modified; please '
        "apply your changes to the latest version and try again"
    ),
    'Template.template.openshift.io "golden" is invalid: spec.virtualMachine: Required value',
    'strict decoding error: unknown field "spec.flavour"',
    "json: cannot unmarshal string into Go value of type map[string]interface {}",
    "the server could not find the requested resource",
    "etcdserver: request is too large",
]


@pytest.mark.parametrize("message", WHOLE)
def test_what_names_and_explains_is_passed_on(message: str) -> None:
    assert redact(message) == message


CUT = {  # message: what is passed on
    'T "golden" is invalid: spec.a: Invalid value: "hunter2": must be longer': (
        'T "golden" is invalid: spec.a: Invalid value: …: must be longer'
    ),
    'T "golden" is invalid: [a: Invalid value: 4711: must be less, b: Unsupported value: "x": supported values: "y"]': (
        'T "golden" is invalid: [a: Invalid value: …: must be less, b: Unsupported value: …: supported values: …]'
    ),
    "a: Invalid value: true: must be false": "a: Invalid value: …: must be false",
    'a: Invalid value: {"b":{"c":"hunter2","d":[1]},"e":4711}: must be less': "a: Invalid value: …: must be less",
    'a: Invalid value: ["hunter2",4711]: too many': "a: Invalid value: …: too many",
    'a: Duplicate value: "hunter2"': "a: Duplicate value: …",
    "a: Not found: 4711": "a: Not found: …",
    'parsing time "hunter2" as "2006": cannot parse': "parsing time … as …: cannot parse",
    'a: Invalid value: "#cloud-config\\npassword: \\"hunter2\\"\\n": no': "a: Invalid value: …: no",
    'a: Invalid value: "it was cut off in the mid': "a: Invalid value: …",
    'error decoding from json: {"a":{"b":"it was cut off in the mid': "error decoding from json: …",
    "error decoding {" + '"a":{' * 30 + '"b":4711' + "}" * 31: "error decoding …",
}


@pytest.mark.parametrize(("message", "expected"), CUT.items())
def test_values_are_cut_by_their_form(message: str, expected: str) -> None:
    assert redact(message) == expected


SENT = orjson.dumps(
    {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {"name": "golden-template", "namespace": "team-alpha", "annotations": {"a": "annotated"}},
        "objects": [{"kind": "VirtualMachine", "spec": {"deep": [{"er": "s3cr3t-and-deep"}]}}],
        "parameters": [
            {"name": "A", "value": 'words: pass\\word99, pass\\word\n#cloud-config\n  password: "pass\\word"\nshort\n'}
        ],
    }
)
REPEATED = {
    "the password: s3cr3t-and-deep!": "the password: …!",
    "annotated is not allowed": "… is not allowed",
    "#cloud-config is not allowed": "… is not allowed",
    'the line password: "pass\\word" is not allowed': "the line password: … is not allowed",
    r"the line 'password: \"pass\\word\"' is not allowed": r"the line 'password: \…",
    "golden-template in team-alpha is a bad Template": "golden-template in team-alpha is a bad Template",
    "VirtualMachine of template.openshift.io/v1": "VirtualMachine of template.openshift.io/v1",
    "short": "short",
    "s3cr3t-and-deep": "…",
    "the word is pass\\word99": "the word is …",
    "the word is pass\\word": "the word is pass\\word",  # as plain as any word of the server's own
}


@pytest.mark.parametrize(("message", "expected"), REPEATED.items())
def test_what_was_sent_is_cut_wherever_it_is_repeated(message: str, expected: str) -> None:
    assert redact(message, SENT) == expected


def answer(status: int, message: str, **more: Any) -> Response:
    return Response(status, orjson.dumps({"kind": "Status", "message": message, **more}))


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 429, 500, 503])
def test_no_answer_whatsoever_brings_a_value_back(status: int) -> None:
    message = f'a: Invalid value: "{"x" * 2 * QUOTED}hunter2": no, and s3cr3t-and-deep neither'
    error = error_from(answer(status, message, reason="Whatever"), SENT)
    assert isinstance(error, ClusterError)
    assert str(error) == "a: Invalid value: …: no, and … neither"


HOST = ConnectionKey("api", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
CLIENT: dict[str, tuple[Exception, str]] = {
    "a header of the peer's": (
        aiohttp.ServerDisconnectedError("HTTP/1.1 200 hunter2"),
        "the connection was closed before there was an answer",
    ),
    "a chunk": (aiohttp.ClientPayloadError("Invalid character in chunk size: b'hunter2'"), "the answer broke off"),
    "a status line": (
        aiohttp.ClientResponseError(None, (), status=400, message="Bad status line 'hunter2'"),  # type: ignore[arg-type]
        "the answer is no HTTP",
    ),
    "a proxy": (
        aiohttp.ClientHttpProxyError(None, (), status=407, message="hunter2"),  # type: ignore[arg-type]
        "the proxy refused: status 407",
    ),
    "an address with a password": (aiohttp.InvalidURL("https://me:hunter2@"), "the server's address is no URL"),
    "an address without a scheme": (
        aiohttp.NonHttpUrlClientError("me:hunter2@host"),
        "the server's address is no http or https URL",
    ),
    "a token with a line break": (
        ValueError("hunter2"),
        "it cannot be sent: is there a line break in the token, or a proxy that is none?",
    ),
    "a token that is no text": (
        UnicodeEncodeError("utf-8", "hunter2\ud800", 7, 8, "no"),
        "it cannot be sent: the token is no text",
    ),
    "a refused connection of the client's": (
        aiohttp.ClientConnectorError(HOST, ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 443)")),
        "no connection: [Errno 111] Connect call failed ('192.0.2.1', 443)",
    ),
    "a certificate that nobody signed": (
        aiohttp.ClientConnectorCertificateError(HOST, ssl.CertificateError("self-signed certificate")),
        "no connection: ('self-signed certificate',)",
    ),
    "a connection that does not come": (
        aiohttp.ConnectionTimeoutError("Connection timeout to host https://api/?resourceVersion=7"),
        "no connection in time",
    ),
    "a refused connection": (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
    "silence": (TimeoutError(), "no answer in time"),
    "silence in the midst of an answer": (
        aiohttp.SocketTimeoutError("Timeout on reading data from socket"),
        "no answer in time",
    ),
    "anything else": (aiohttp.ClientError("hunter2"), "ClientError"),
}


@pytest.mark.parametrize(("error", "expected"), CLIENT.values(), ids=CLIENT)
def test_the_http_clients_errors_come_without_what_they_quote(error: Exception, expected: str) -> None:
    assert describe_client_error(error) == expected
