"""Authentication and authorization of scrapes, as in controller-runtime: TokenReview, then SubjectAccessReview.

A client needs a bearer token of a user who may `get` the non-resource URL `/metrics`. Results are cached, and one
review runs at a time: clients without a valid token cannot make the controller flood the API server.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import orjson
from aiohttp import web

from atmpl.controller.cluster import ClusterError, UnavailableError
from atmpl.kube.client import KubeClient
from atmpl.kube.response import error_from

ALLOWED_SECONDS: Final = 60.0  # for which a positive result is cached
DENIED_SECONDS: Final = 10.0
MAX_CACHED: Final = 256
MAX_WAITING: Final = 16  # clients that wait for a review, except those whose token was allowed before
MAX_TOKEN_BYTES: Final = 8_000

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}


class MetricsAuthorizer:
    """Decides who may read /metrics."""

    def __init__(self, client: KubeClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._cached: OrderedDict[bytes, tuple[float, int]] = OrderedDict()  # token's digest: until, HTTP status
        self._reviewing = asyncio.Lock()
        self._waiting = 0

    async def denial(self, authorization: str) -> web.Response | None:
        """Return the response to a client that may not read the metrics; None if it may."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
            return _denial(401)
        status = await self._status(token)
        return None if status == 200 else _denial(status)

    async def _status(self, token: str) -> int:
        """Return 200, 401, 403, or 503 if the API server does not answer or too many clients wait."""
        digest = sha256(token.encode()).digest()
        if (status := self._cached_status(digest)) is not None:
            return status
        _, previous = self._cached.get(digest, (0.0, 0))
        if self._waiting >= MAX_WAITING and previous != 200:
            return 503
        self._waiting += 1
        try:
            async with self._reviewing:
                if (status := self._cached_status(digest)) is not None:
                    return status
                try:
                    status = await self._review(token)
                except ClusterError:
                    return 503
                seconds = ALLOWED_SECONDS if status == 200 else DENIED_SECONDS
                self._cached[digest] = (self._now() + seconds, status)
                if len(self._cached) > MAX_CACHED:
                    denied = (key for key, (_, each) in self._cached.items() if each != 200 and key != digest)
                    del self._cached[next(denied, next(iter(self._cached)))]
                return status
        finally:
            self._waiting -= 1

    def _cached_status(self, digest: bytes) -> int | None:
        until, status = self._cached.get(digest, (0.0, 0))
        return status if self._now() < until else None

    async def _review(self, token: str) -> int:
        """Return 200, 401 or 403. Raises ClusterError."""
        review = await self._create("authentication.k8s.io", "TokenReview", {"token": token})
        user = review.get("user")
        if review.get("authenticated") is not True or not isinstance(user, dict) or not user.get("username"):
            return 401
        spec = {
            "user": user["username"],
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        }
        review = await self._create("authorization.k8s.io", "SubjectAccessReview", spec)
        return 200 if review.get("allowed") is True and review.get("denied") is not True else 403

    async def _create(self, group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        """Create a review and return its status."""
        body = orjson.dumps({"apiVersion": f"{group}/v1", "kind": kind, "spec": spec})
        path = f"/apis/{group}/v1/{kind.lower()}s"
        response = await self._client.call("POST", path, body=body, headers=_HEADERS)
        if not response.ok:
            raise error_from(response)
        status = response.json().get("status")
        if not isinstance(status, dict):
            raise UnavailableError("a review without status")
        return status


def _denial(status: int) -> web.Response:
    texts = {
        401: "send a bearer token that the API server accepts",
        403: "the user of this token may not get the non-resource URL /metrics",
        503: "the API server did not review this token; retry later",
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.Response(status=status, text=f"{texts[status]}\n", headers=headers)
