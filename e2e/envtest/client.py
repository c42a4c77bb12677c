"""A client of the Kubernetes API for tests, demo and bench: one HTTP connection pool with the credentials of one user.

It does not use `atmpl.kube`, so that a fault there cannot hide itself.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Self

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

Object = dict[str, Any]

PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",  # JSON is YAML
}


class ApiError(Exception):
    """The API server returned an error: `status` is the HTTP code, `body` the Status object or the text."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        self.message = body.get("message", "") if isinstance(body, dict) else str(body)
        super().__init__(f"{status}: {self.message}")


class Client:
    """A client of one user. Async context manager; every method raises ApiError and aiohttp.ClientError."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._session = aiohttp.ClientSession(
            url,
            headers=list(headers),
            connector=aiohttp.TCPConnector(limit=0, ssl=tls or True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )
        self._resources: dict[str, list[Object]] = {}  # discovery's answer by apiVersion

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        """Make one call. Returns decoded JSON, or the text of any other answer."""
        headers = {"Accept": accept}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = content_type
        async with self._session.request(method, path, data=data, headers=headers, params=params) as answer:
            text = await answer.read()
            decoded = orjson.loads(text) if answer.content_type == "application/json" else text.decode()
            if answer.status >= 400:
                raise ApiError(answer.status, decoded)
            return decoded

    async def get(self, path: str, **params: str | int) -> Any:
        """Read an object or a list. `params` are the URL's query, as in the other methods."""
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Object, **params: str | int) -> Object:
        """Post an object to its collection."""
        return await self._object("POST", path, body, params=params)

    async def put(self, path: str, body: Object, **params: str | int) -> Object:
        """Replace an object."""
        return await self._object("PUT", path, body, params=params)

    async def patch(self, path: str, body: Any, kind: str = "merge", **params: str | int) -> Object:
        """Patch an object; `kind` is a key of PATCHES."""
        return await self._object("PATCH", path, body, content_type=PATCHES[kind], params=params)

    async def delete(self, path: str, body: Object | None = None, **params: str | int) -> Object:
        """Delete an object or a collection; `body` is a DeleteOptions."""
        return await self._object("DELETE", path, body, params=params)

    async def create(self, obj: Object, **params: str | int) -> Object:
        """Post an object to the path that discovery returns."""
        return await self.post(await self.collection(obj), obj, **params)

    async def apply(self, obj: Object, *, manager: str = "person", force: bool = True, **params: str | int) -> Object:
        """Apply an object on the server's side."""
        flags: dict[str, str | int] = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self.patch(await self.path(obj), obj, "apply", **flags, **params)

    async def path(self, obj: Object) -> str:
        """Return the path of an object that has apiVersion, kind and metadata."""
        return f"{await self.collection(obj)}/{obj['metadata']['name']}"

    async def collection(self, obj: Object) -> str:
        """Return the path of an object's collection, in its namespace, by default `default`."""
        version, kind = obj["apiVersion"], obj["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if not any(found["kind"] == kind for found in self._resources.get(version, [])):
            self._resources[version] = (await self.get(root))["resources"]
        for found in self._resources[version]:
            if found["kind"] == kind and "/" not in found["name"]:
                place = f"/namespaces/{obj['metadata'].get('namespace', 'default')}" if found["namespaced"] else ""
                return f"{root}{place}/{found['name']}"
        raise LookupError(f"the server does not serve {version} {kind}")

    async def watch(self, collection: str, **params: str | int) -> AsyncIterator[Object]:
        """Yield the events of one watch until the server ends it. Raises ApiError for an ERROR event too."""
        async with self._session.get(collection, params={"watch": "1", **params}) as answer:
            if answer.status >= 400:
                raise ApiError(answer.status, await answer.json())
            try:
                async for event in _events(answer):
                    yield event
            finally:
                _hang_up(answer)

    async def until(self, path: str, true: Callable[[Object | None], Any], *, timeout: float = 30) -> Object | None:
        """Watch one object, None while there is none, until `true` of it; return it.

        Lives through restarts of the server. Raises TimeoutError that shows the object last seen, and what `true`
        raises.
        """
        collection, _, name = path.rpartition("/")
        seen: Object | None = None
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        async for seen in self._states(collection, name):
                            if true(seen):
                                return seen
                    except (aiohttp.ClientError, ApiError) as error:
                        if isinstance(error, ApiError) and error.status not in {410, 429, 500, 503, 504}:
                            raise
                        await asyncio.sleep(0.05)
        except TimeoutError:
            shown = orjson.dumps(seen, option=orjson.OPT_INDENT_2).decode()
            raise TimeoutError(f"{path}: not so after {timeout} s; last seen: {shown}") from None

    async def _states(self, collection: str, name: str) -> AsyncIterator[Object | None]:
        """Yield the object as it is, then each of its later states, until the watch ends."""
        only = {"fieldSelector": f"metadata.name={name}"}
        listed = await self.request("GET", collection, params=only)
        yield next(iter(listed["items"]), None)
        async for event in self.watch(collection, resourceVersion=listed["metadata"]["resourceVersion"], **only):
            yield None if event["type"] == "DELETED" else event["object"]

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the server's samples of this name and these labels, e.g. `apiserver_request_total`."""
        text: str = await self.get("/metrics")
        lines = "\n".join(line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
        return sum(
            sample.value
            for family in text_string_to_metric_families(lines + "\n")
            for sample in family.samples
            if labels.items() <= sample.labels.items()
        )

    async def _object(self, method: str, path: str, body: Any, **options: Any) -> Object:
        answer: Object = await self.request(method, path, body, **options)
        return answer


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[Object]:
    rest = b""
    async for piece in answer.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            event = orjson.loads(line)
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 500), event["object"])
            yield event


def _hang_up(answer: aiohttp.ClientResponse) -> None:
    """End the connection of a watch that is left before its end.

    Closed, it would wait for the server's farewell, which TLS knows: longer, where the server is busy, than the loop
    of a test lives, and unknown to the session, which waits for nothing then.
    """
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()
