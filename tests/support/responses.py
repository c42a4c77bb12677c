"""The API server's answers, worded as it words them."""

from typing import Any

import orjson

from atmpl.kube.response import Response
from tests.support.resources import Place


def status(code: int, reason: str | None, message: str, **details: Any) -> Response:
    """Return a failure as the API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code}
    body |= {"reason": reason} if reason else {}
    return Response(code, orjson.dumps(body | {"details": details}))


def terminating(place: Place) -> Response:
    """Return that a namespace is on its way out."""
    namespace = place.key.namespace
    message = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
    return refusal(403, "Forbidden", place, message, causes=[cause])


def refusal(code: int, reason: str, place: Place, message: str, **details: Any) -> Response:
    kind = place.resource.kind if reason == "Invalid" else place.resource.plural
    return status(code, reason, message, name=place.key.name, group=place.resource.group, kind=kind, **details)


def not_found(place: Place) -> Response:
    return refusal(404, "NotFound", place, f'{long_name(place)} "{place.key.name}" not found')


def conflict(place: Place, why: str) -> Response:
    return refusal(
        409, "Conflict", place, f'Operation cannot be fulfilled on {long_name(place)} "{place.key.name}": {why}'
    )


def long_name(place: Place) -> str:
    return f"{place.resource.plural}.{place.resource.group}"
