"""The process: settings, signals, the probe listener, and an end that takes at most five seconds."""

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from aiohttp import web

from atmpl.kube.access import AccessError, Credentials
from atmpl.kube.connection import Connection
from atmpl.kube.incluster import InCluster, in_pod
from atmpl.manager import logs
from atmpl.manager.manager import Manager
from atmpl.manager.metrics import Metrics
from atmpl.manager.probes import application

log = logging.getLogger("atmpl")

LISTENER_END = 0.3  # seconds that a probe in flight has when the process ends


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line of `atmpl controller` says."""

    kubeconfig: str | None
    context: str | None
    workers: int
    bind: tuple[str, int]
    log_format: Literal["json", "text"]
    log_level: str


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. A second signal ends the process at once."""
    logs.set_up(settings.log_format, settings.log_level)
    return _run(_serve(settings))


def _run(work: Coroutine[Any, Any, int]) -> int:
    try:
        import uvloop  # noqa: PLC0415 - an extra: `pip install atmpl[fast]`
    except ImportError:
        return asyncio.run(work)
    return int(uvloop.run(work))


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    _on_signals(stop)
    try:
        credentials = _credentials(settings)
        access = await credentials.access()
    except AccessError as error:
        log.error("no way to a cluster", extra={"why": str(error)})  # noqa: TRY400 - the message says it all
        return 1
    log.info("starting", extra={"server": access.server, "workers": settings.workers})
    metrics = Metrics()
    async with Connection(credentials) as connection:
        manager = Manager(connection, metrics, workers=settings.workers, random=Random())  # noqa: S311 - jitter only
        runner = web.AppRunner(
            application(manager.unhealthy, manager.unready, metrics.registry),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=LISTENER_END,
        )
        await runner.setup()
        try:
            await _listen(runner, settings.bind)
            await manager.run(stop)
        except OSError as error:
            log.error("the probe listener cannot be opened: choose another --bind", extra={"why": str(error)})  # noqa: TRY400
            return 1
        finally:
            await runner.cleanup()
    log.info("stopped")
    return 0


async def _listen(runner: web.AppRunner, bind: tuple[str, int]) -> None:
    host, port = bind
    await web.TCPSite(runner, host, port).start()
    host, port = runner.addresses[0][:2]
    log.info("listening", extra={"host": host, "port": port})


def _credentials(settings: Settings) -> Credentials:
    if in_pod() and not (settings.kubeconfig or settings.context or os.environ.get("KUBECONFIG")):
        return InCluster()
    from atmpl.kube.kubeconfig import Kubeconfig  # noqa: PLC0415 - dear, and a pod does without

    return Kubeconfig(settings.kubeconfig, settings.context)


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def asked_to_stop(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop, number)
