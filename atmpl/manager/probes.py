"""Health, readiness and metrics over HTTP: three paths, each answered from memory."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

Problem = Callable[[], str]  # what is wrong, or nothing


def application(healthy: Problem, ready: Problem, registry: CollectorRegistry) -> web.Application:
    """Return the application that the kubelet and Prometheus ask. A probe that fails says why in its body."""

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(healthy())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(ready())

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(registry)  # type: ignore[no-untyped-call]
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


def _verdict(problem: str) -> web.Response:
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
