"""The process: settings, signals, the probe listener, and an end that takes at most five seconds."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from selectors import BaseSelector
from typing import Any, Literal, TypeVar

from atmpl.kube.auth import APIEndpoint, Credentials, CredentialsError, load_credentials
from atmpl.kube.auth.in_cluster import own_namespace
from atmpl.kube.client import KubeClient
from atmpl.kube.leader_election import LeaderElector
from atmpl.manager import debug, logs
from atmpl.manager.gathering import Gathering
from atmpl.manager.manager import Manager
from atmpl.manager.metrics import Metrics
from atmpl.manager.probes import Probes

T = TypeVar("T")

log = logging.getLogger("atmpl")

EXIT_TIMEOUT = (
    1.0  # seconds after all is done; a thread that waits for a name server cannot be ended, and is waited for else
)

# A template is hundreds of dicts and lists that live for a moment and are in no cycle. With Python's own thresholds
# (700, 10, 10) looking through them takes a tenth of what rendering a VM of 10 kB takes (measured).
GC_THRESHOLDS = (50_000, 20, 50)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line of `atmpl controller` says."""

    kubeconfig: str | None
    context: str | None
    workers: int
    bind: tuple[str, int]
    log_format: Literal["json", "text"]
    log_level: str
    leader_elect: bool
    lease_namespace: str | None  # None: the pod's own


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. A second signal ends the process at once."""
    logs.set_up(settings.log_format, settings.log_level)
    gathering = Gathering()
    try:
        return run(_in_time(_serve(settings, gathering)), gathering)
    except Exception:  # Python would write its message too
        log.critical("died", exc_info=True)
        return 1


def run(work: Coroutine[Any, Any, T], selector: BaseSelector | None = None) -> T:
    """Run an event loop as the controller's: with its thresholds of collection, and uvloop's where there is one.

    uvloop has its own wait in C, and no use for `selector`.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        import uvloop  # noqa: PLC0415 - an extra: `pip install atmpl[fast]`
    except ImportError:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
            return runner.run(work)
    return uvloop.run(work)  # type: ignore[no-any-return]


async def _in_time(work: Coroutine[Any, Any, int]) -> int:
    """Await `work`, and see to it that the process ends soon after, with the status that it returns."""
    status = await work
    logs.flush()
    end = threading.Timer(EXIT_TIMEOUT, os._exit, (status,))
    end.daemon = True
    end.start()
    return status


async def _serve(settings: Settings, gathering: Gathering) -> int:
    stop = asyncio.Event()
    _on_signals(stop)
    debug.listen(settings.log_level)
    asyncio.get_running_loop().set_exception_handler(logs.unexpected)
    try:
        found = load_credentials(settings.kubeconfig, settings.context)
        access = await _access(found, stop)
    except CredentialsError as error:
        log.error("no way to a cluster", extra={"why": str(error)})  # noqa: TRY400 - the message says it all
        return 1
    if access is None:
        log.info("stopped")
        return 0
    log.info("starting", extra={"server": access.display_url, "workers": settings.workers})
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(KubeClient(found))
        identity = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
        random = Random()  # noqa: S311 - jitter only
        lease = None
        if settings.leader_elect:
            apart = await stack.enter_async_context(KubeClient(found))  # renewals wait for nobody's calls
            where = settings.lease_namespace or own_namespace()
            lease = LeaderElector(apart, where, identity, random=random)
        manager = Manager(connection, metrics, workers=settings.workers, random=random, identity=identity, lease=lease)
        gathering.in_hand = lambda: manager.queue.busy
        probes = Probes(*settings.bind, healthy=manager.unhealthy, ready=manager.unready, registry=metrics.registry)
        try:
            await stack.enter_async_context(probes)
        except OSError as error:
            log.error("the probe listener cannot be opened: choose another --bind", extra={"why": str(error)})  # noqa: TRY400
            return 1
        log.info("listening", extra={"host": probes.address[0], "port": probes.address[1]})
        await manager.run(stop)
    log.info("stopped")
    return 0


async def _access(found: Credentials, stop: asyncio.Event) -> APIEndpoint | None:
    """Return the access; None where we are to stop before it is known, as a plugin may take a minute.

    Raises AccessError.
    """
    looking, stopped = asyncio.ensure_future(found.endpoint()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return looking.result() if looking.done() else None
    finally:
        for task in (looking, stopped):
            task.cancel()


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def asked_to_stop(number: signal.Signals) -> None:
        if stop.is_set():
            logs.flush()
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop, number)
