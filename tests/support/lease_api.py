"""A fake API server with one lease, and a client whose calls meet faults."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from atmpl.controller.cluster import UnavailableError
from atmpl.kube.response import Response

Fault = Callable[
    [Callable[[], Response]], Awaitable[Response]
]  # a fault of a call; it gets the server's part of the call


def status_response(code: int, reason: str = "", message: str = "", **more: Any) -> Response:
    """A Status; plain text if there is no reason."""
    status = {"kind": "Status", "code": code, "reason": reason, "message": message, **more}
    return Response(code, orjson.dumps(status) if reason else b"404 page not found\n")


class LeaseApi:
    """The lease and its history."""

    def __init__(self) -> None:
        self.spec: dict[str, Any] | None = None  # None: there is no lease
        self._version = 0
        self._owners: dict[str, str] = {}  # by field of the spec: the manager that changed it last
        self.history: list[str] = []  # holder after each write

    def write(self, spec: dict[str, Any] | None, manager: str = "person") -> None:
        """Write it, as a user with the right."""
        old = self.spec or {}
        self._owners = {
            field: self._owners[field] if field in old and old[field] == value else manager
            for field, value in (spec or {}).items()
        }
        self._version += 1
        self.spec = spec
        self.history.append((spec or {}).get("holderIdentity") or "")

    def edit(self, **fields: Any) -> None:
        """Edit it as a person does; a field that is None goes."""
        if self.spec is not None:
            edited = self.spec | fields
            self.write({field: value for field, value in edited.items() if value is not None})

    def handle(self, method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None) -> Response:
        """Do what an API server does."""
        sent = orjson.loads(body) if body else {}
        if method == "PATCH" and "apply" in headers["Content-Type"]:
            old, manager = self.spec or {}, query["fieldManager"]
            for field, value in sent["spec"].items():
                if field in old and old[field] != value and self._owners[field] != manager:
                    return status_response(409, "Conflict", f"conflict with {self._owners[field]}: .spec.{field}")
            self.write(old | sent["spec"], manager)
        elif self.spec is None:
            return status_response(404, "NotFound", "not found", details={"kind": "leases"})
        elif method == "PATCH":
            if sent["metadata"]["resourceVersion"] != str(self._version):
                return status_response(409, "Conflict", "the object has been modified")
            self.write(self.spec | sent["spec"], query["fieldManager"])
        metadata = {"name": "atmpl-controller", "resourceVersion": str(self._version)}
        return Response(200, orjson.dumps({"metadata": metadata, "spec": self.spec}))


class FaultyClient:
    """A client of it; `faults` are those of the next calls, later calls have none."""

    def __init__(self, api: LeaseApi, *faults: Fault) -> None:
        self.api = api
        self.faults = list(faults)
        self.calls: list[str] = []

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        assert path == "/apis/coordination.k8s.io/v1/namespaces/ns/leases/atmpl-controller"
        self.calls.append(method)
        fault = self.faults.pop(0) if self.faults else well
        return await fault(lambda: self.api.handle(method, query or {}, headers or {}, body))


async def well(server: Callable[[], Response]) -> Response:
    """No fault, after a moment."""
    await asyncio.sleep(0.01)
    answer = server()
    await asyncio.sleep(0.01)
    return answer


def refused(answer: Response) -> Fault:
    async def fault(_: Callable[[], Response]) -> Response:
        await asyncio.sleep(0.01)
        return answer

    return fault


def slow(before: float, after: float) -> Fault:
    """Done after so many seconds, and answered after so many more."""

    async def fault(server: Callable[[], Response]) -> Response:
        await asyncio.sleep(before)
        answer = server()
        await asyncio.sleep(after)
        return answer

    return fault


async def unsent(_: Callable[[], Response]) -> Response:
    raise UnavailableError("refused")


async def hangs(_: Callable[[], Response]) -> Response:
    await asyncio.sleep(30)
    raise UnavailableError("timeout")


async def done_but_hangs(server: Callable[[], Response]) -> Response:
    server()
    return await hangs(server)


async def lost(server: Callable[[], Response]) -> Response:
    """Done, and the answer lost."""
    server()
    raise UnavailableError("reset")


async def garbled(server: Callable[[], Response]) -> Response:
    """Done, and something else answers."""
    server()
    return Response(200, b"<html>login</html>")


FAULTS: dict[str, Fault] = {
    "401": refused(status_response(401, "Unauthorized")),
    "403": refused(status_response(403, "Forbidden", "no")),
    "403 of a terminating namespace": refused(
        status_response(403, "Forbidden", "no", details={"causes": [{"reason": "NamespaceTerminating"}]})
    ),
    "404": refused(status_response(404, "NotFound", "no", details={"kind": "leases"})),
    "404 of the namespace": refused(status_response(404, "NotFound", "no", details={"kind": "namespaces"})),
    "plain 404": refused(status_response(404)),
    "409": refused(status_response(409, "Conflict", "moved")),
    "422": refused(status_response(422, "Invalid", "no", details={"kind": "Lease"})),
    "429": refused(status_response(429, "TooManyRequests", "later", details={"retryAfterSeconds": 3})),
    "500": refused(status_response(500, "InternalError", "oh")),
    "503": refused(status_response(503, "ServiceUnavailable")),
    "garbage": refused(Response(200, b"<html>login</html>")),
    "an object of nothing": refused(Response(200, b'{"metadata": {}}')),
    "reset": unsent,
    "timeout": hangs,
    "done, but hangs": done_but_hangs,
    "done, but the answer lost": lost,
    "done, but something else answers": garbled,
    "slow to be done": slow(2.5, 0.0),
    "slow to be answered": slow(0.0, 2.5),
    "slower than the deadline": slow(8.0, 8.0),
}
