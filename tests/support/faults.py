"""The faults of a call: what clusters do to controllers, and the end of the controller itself."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from atmpl.controller.cluster import UnavailableError
from atmpl.controller.objects import ObjectKey
from atmpl.kube.response import Response
from tests.support.resources import ACCESS_REVIEWS, BINDINGS, POLICIES, REQUESTS, SERVED, VMS, Place, Resource
from tests.support.responses import conflict, not_found, refusal, status, terminating

WORDS: dict[Resource | None, str] = {
    REQUESTS: "request",
    VMS: "vm",
    POLICIES: "policy",
    BINDINGS: "binding",
    SERVED: "served",
    ACCESS_REVIEWS: "review",
}


class Call(NamedTuple):
    """A call of the controller's. `word` names it: `GET vm`, `PATCH status`, ..."""

    number: int  # from 0, over all replicas
    replica: int
    method: str
    place: Place
    sub: str
    cached: bool  # a read that names a version
    body: Any

    @property
    def word(self) -> str:
        return f"{self.method} {self.sub or WORDS.get(self.place.resource, 'template')}"

    @property
    def is_write(self) -> bool:
        return self.method != "GET" and self.place.resource is not ACCESS_REVIEWS

    @property
    def faults(self) -> list["Fault"]:
        """The possible faults. An uncached read does not report an existing object as missing."""
        honest = self.method == "GET" and not self.cached
        return [fault for fault in FAULTS.values() if not (honest and fault.name == "404")]


@dataclass(frozen=True)
class Fault:
    """The fault of a call. `acts`: the server does what was requested all the same."""

    name: str
    acts: bool = False
    dies: bool = False  # the controller, before or after the call takes effect

    def answer(self, call: Call) -> Response:
        """Return the response, or raise the error. Only for faults that the controller survives."""
        place = call.place
        match self.name:
            case "400":
                return status(400, "BadRequest", "the body cannot be read")
            case "401":
                return status(401, "Unauthorized", "Unauthorized")
            case "403":
                return refusal(403, "Forbidden", place, "User cannot do this")
            case "403 of a terminating namespace":
                return terminating(place)
            case "404":
                return not_found(place)
            case "plain 404":
                return Response(404, b"404 page not found\n")
            case "409":
                return conflict(place, "the object has been modified")
            case "409 of a taken name":
                return refusal(409, "AlreadyExists", place, "already exists")
            case "410":
                return status(410, "Expired", "The provided resource version is too old")
            case "422":
                return refusal(422, "Invalid", place, "is invalid")
            case "422 of a patch":
                return status(422, "Invalid", "the server rejected our request due to an error in our request")
            case "429":
                return Response(429, status(429, "TooManyRequests", "too many requests").body, "7")
            case "500":
                return status(500, "InternalError", "Internal error occurred")
            case "500 request is too large":
                return status(500, None, "etcdserver: request is too large")
            case "503":
                return status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            case "504":
                return status(504, "Timeout", "the server was unable to return a response in time")
            case "a page of HTML":
                return Response(200, b"<html>Welcome</html>")
            case "reset" | "lost":
                raise UnavailableError("the connection was closed before there was an answer")
            case "timeout" | "lost late":
                raise UnavailableError("no answer in 30 s")
        raise NotImplementedError(self.name)


ANSWERS = [
    Fault(name)
    for name in (
        "400",
        "401",
        "403",
        "403 of a terminating namespace",
        "404",
        "plain 404",
        "409",
        "409 of a taken name",
        "410",
        "422",
        "422 of a patch",
        "429",
        "500",
        "500 request is too large",
        "503",
        "504",
        "a page of HTML",
        "reset",
        "timeout",
    )
]
LOST = [Fault("lost", acts=True), Fault("lost late", acts=True)]
DEATHS = [Fault("dies before", dies=True), Fault("dies after", acts=True, dies=True)]
FAULTS = {fault.name: fault for fault in (*ANSWERS, *LOST, *DEATHS)}

# One of each kind: without a trace, reported, retried at once, and with an unknown result.
DIFFERENT = [FAULTS[name] for name in ("dies before", "dies after", "lost", "503", "409")]


def call_of(
    number: int, replica: int, method: str, place: Place, sub: str, *, cached: bool, body: bytes | None
) -> Call:
    """Return a call as the tests speak of it."""
    decoded = orjson.loads(body) if body else None
    if method == "POST" and "metadata" in decoded:
        place = Place(place.resource, ObjectKey(place.key.namespace, decoded["metadata"]["name"]))
    return Call(number, replica, method, place, sub, cached, decoded)
