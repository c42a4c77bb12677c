"""The process: settings, signals, the probe listener, and an exit within five seconds."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from random import Random
from types import FrameType
from typing import Any, Literal, TypeVar

from atmpl.kube.auth import APIEndpoint, Credentials, CredentialsError, load_credentials
from atmpl.kube.auth.in_cluster import own_namespace
from atmpl.kube.client import KubeClient
from atmpl.kube.leader_election import LeaderElector
from atmpl.manager import debug, logs
from atmpl.manager.manager import Manager
from atmpl.manager.metrics import Metrics
from atmpl.manager.metrics_authorizer import MetricsAuthorizer
from atmpl.manager.probes import Probes
from atmpl.version import __version__

T = TypeVar("T")

log = logging.getLogger("atmpl")

# Python waits at exit for a thread that resolves a name, and such a thread cannot be cancelled.
EXIT_TIMEOUT_SECONDS = 1.0  # from the end of all work
# Rendering runs on the event loop. A signal that arrives meanwhile is handled by the loop only afterwards.
SIGNAL_TIMEOUT_SECONDS = 4.5  # from SIGTERM or SIGINT

# A template consists of hundreds of short-lived dicts and lists without cycles. With Python's own thresholds
# (700, 10, 10) the collector takes a tenth of the time of rendering a VM of 10 kB (measured).
GC_THRESHOLDS = (50_000, 20, 50)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `atmpl controller`."""

    kubeconfig: str | None
    context: str | None
    workers: int
    bind: tuple[str, int]
    log_format: Literal["json", "text"]
    log_level: str
    leader_elect: bool
    lease_namespace: str | None  # None: the pod's own
    namespaces: tuple[str, ...] = ()  # empty: the whole cluster
    policy_required: bool = True
    authenticate_metrics: bool = False


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. A second signal ends the process at once."""
    logs.set_up(settings.log_format, settings.log_level)
    try:
        return run(_exit_in_time(_serve(settings)))
    except Exception:  # Python would write the message of the exception
        log.critical("controller failed", exc_info=True)
        return 1


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the controller's event loop: uvloop's if it is installed (the image installs it)."""
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        import uvloop  # noqa: PLC0415 - an extra: `pip install atmpl[fast]`
    except ImportError:
        return asyncio.run(work)
    result: T = uvloop.run(work)
    return result


async def _exit_in_time(work: Coroutine[Any, Any, int]) -> int:
    """Await `work`, then make sure that the process exits with its status within EXIT_TIMEOUT_SECONDS."""
    status = await work
    _force_exit_after(EXIT_TIMEOUT_SECONDS, status)
    return status


def _force_exit_after(seconds: float, status: int) -> None:
    def force_exit() -> None:
        logs.flush()
        os._exit(status)

    timer = threading.Timer(seconds, force_exit)
    timer.daemon = True
    timer.start()


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    _handle_signals(stop)
    debug.listen(settings.log_level)
    asyncio.get_running_loop().set_exception_handler(logs.log_loop_exception)
    log.info("starting", extra={"version": __version__, "workers": settings.workers})
    try:
        credentials = load_credentials(settings.kubeconfig, settings.context)
        endpoint = await _endpoint(credentials, stop)
    except CredentialsError as error:
        log.error("cannot load cluster credentials", extra={"why": str(error)})  # noqa: TRY400 - no traceback needed
        return 1
    if endpoint is None:
        log.info("stopped")
        return 0
    log.info("credentials loaded", extra={"server": endpoint.display_url})
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(KubeClient(credentials, metrics.called))
        identity = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
        random = Random()  # noqa: S311 - jitter only
        lease = None
        if settings.leader_elect:
            # A client of its own: a renewal never waits for other calls.
            lease_client = await stack.enter_async_context(KubeClient(credentials, metrics.called))
            namespace = settings.lease_namespace or own_namespace()
            lease = LeaderElector(lease_client, namespace, identity, random=random)
        manager = Manager(
            client,
            metrics,
            workers=settings.workers,
            random=random,
            identity=identity,
            namespaces=settings.namespaces,
            lease=lease,
            policy_required=settings.policy_required,
        )
        probes = Probes(
            *settings.bind,
            healthy=manager.unhealthy,
            ready=manager.unready,
            registry=metrics.registry,
            authorizer=MetricsAuthorizer(client, now=time.monotonic) if settings.authenticate_metrics else None,
        )
        try:
            await stack.enter_async_context(probes)
        except OSError as error:
            log.error("cannot listen; choose another --bind", extra={"why": str(error)})  # noqa: TRY400
            return 1
        log.info("listening", extra={"host": probes.address[0], "port": probes.address[1]})
        await manager.run(stop)
    log.info("stopped")
    return 0


async def _endpoint(credentials: Credentials, stop: asyncio.Event) -> APIEndpoint | None:
    """Return the API server's endpoint; None if `stop` is set first. An exec plugin can take a minute.

    Raises: CredentialsError.
    """
    loading, stopped = asyncio.ensure_future(credentials.endpoint()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return loading.result() if loading.done() else None
    finally:
        for task in (loading, stopped):
            task.cancel()


def _handle_signals(stop: asyncio.Event) -> None:
    """Set `stop` on the first SIGTERM or SIGINT. A second signal ends the process at once.

    Python runs these handlers between two bytecodes, so also while the event loop is busy. The handlers of the loop
    itself would wait.
    """
    loop, received = asyncio.get_running_loop(), list[int]()

    def handle(number: int, _: FrameType | None) -> None:
        if received:
            logs.flush()
            os._exit(128 + number)
        received.append(number)
        _force_exit_after(SIGNAL_TIMEOUT_SECONDS, 0)
        with suppress(RuntimeError):  # the loop is closed: the process is at its end
            loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
