"""The wiring: streams fill stores, stores wake keys, workers take them from the queue."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any

from atmpl.controller.objects import ObjectKey
from atmpl.kube.client import KubeClient
from atmpl.kube.cluster import KubeCluster
from atmpl.kube.event_recorder import EventRecorder
from atmpl.kube.leader_election import LeaderElector
from atmpl.kube.reflector import Reflector
from atmpl.kube.resources import REQUESTS, VMS, templates
from atmpl.kube.stores import Store
from atmpl.kube.stores.requests import RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.kube.watch_events import WatchTarget
from atmpl.kube.workqueue import WorkQueue
from atmpl.manager.metrics import Metrics, QueueCollector, StreamCollector, StreamFigures
from atmpl.manager.worker import Worker
from atmpl.template import FORMATS, Format
from atmpl.template.template_metadata import REFRESH

log = logging.getLogger("atmpl")

SHUTDOWN_GRACE = 3.0  # seconds that work in hand has to finish after SIGTERM; a call that hangs is given up then


class Manager:
    """One controller: it owns the streams, the queue and the workers of one connection."""

    def __init__(
        self,
        connection: KubeClient,
        metrics: Metrics,
        *,
        workers: int,
        random: Random,
        identity: str,
        lease: LeaderElector | None = None,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.queue: WorkQueue[ObjectKey] = WorkQueue(random=random, waited=metrics.queue_seconds.observe)
        self.requests = RequestStore(self.queue.add, self.queue.remove, self.queue.add_unless_backing_off)
        self.vms = VMStore(self._vm_changed, self.requests.sources, lambda: self._wake(self.requests.refreshed()))
        self.requests.source_unused = self.vms.forget
        self.templates = {name: self._templates(format) for name, format in FORMATS.items()}
        self.cluster = KubeCluster(connection, self.requests, self.vms, self.templates)
        self._workers = workers
        self._events = EventRecorder(connection, identity)
        self._worker = Worker(self.queue, self.requests, self.cluster, metrics, self._events, utc=utc)
        self._lease = lease
        self._team: set[asyncio.Task[None]] = set()  # the workers, while we lead
        self._watches = {
            stream.path.rpartition("/")[2]: (sink, Reflector(stream, connection, sink, random=random))
            for stream, sink in self._streams()
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._dead: list[str] = []  # names of tasks that ended by an error
        metrics.registry.register(QueueCollector(self.queue, workers))
        metrics.registry.register(StreamCollector(self._figures))
        metrics.state(leads=lambda: bool(self._team), ready=lambda: not self.unready())

    def unhealthy(self) -> str:
        """Return which task has died; nothing while all is well. That the API server is away is not our health."""
        return f"died: {', '.join(self._dead)}" if self._dead else ""

    def unready(self) -> str:
        """Return why no request can be served yet; empty if they can. Only the list of requests is needed for that."""
        return "the list of requests is not complete" if self.requests.is_served is None else ""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is in hand, and only then let the lease go."""
        for name, (_, watch) in self._watches.items():
            self._start(name, self._follow(watch, after=self.requests if name == VMS.plural else None))
        self._start("events", self._events.run())
        self._start("leader" if self._lease else "starter", self._lead())
        await stop.wait()
        log.info("stopping", extra={"in_hand": self.queue.busy, "left": len(self.queue)})
        self.queue.close()
        if self._team:
            await asyncio.wait(self._team, timeout=SHUTDOWN_GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lease:
            await self._lease.release()

    async def _follow(self, reflector: Reflector, after: Store | None) -> None:
        """Run a reflector; the VMs' only after the requests' list, which says which VMs are kept."""
        if after is not None:
            await after.synced.wait()
        await reflector.run()

    async def _lead(self) -> None:
        """Run workers while this replica leads; without leader election, as soon as the requests are listed."""
        await self.requests.synced.wait()
        log.info("ready", extra={name: len(sink) for name, (sink, _) in self._watches.items()})
        if self._lease is None:
            self._start_workers()
            return
        while True:
            await self._lease.acquire()
            log.info("leading")
            self._start_workers()
            await self._lease.renew_until_lost()
            log.warning("the lease is lost: standing by", extra={"why": self._lease.problem})
            for task in self._team:
                task.cancel()
            await asyncio.gather(*self._team, return_exceptions=True)

    def _start_workers(self) -> None:
        for number in range(self._workers):
            task = self._start(f"worker {number}", self._worker.run(self._may_work))
            self._team.add(task)
            task.add_done_callback(self._team.discard)

    def _may_work(self) -> bool:
        return self._lease is None or self._lease.is_held

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._dead.append(task.get_name())
            log.critical("task died", exc_info=error, extra={"task": task.get_name()})

    def _streams(self) -> Iterable[tuple[WatchTarget, RequestStore | VMStore | TemplateStore]]:
        yield WatchTarget(REQUESTS.path), self.requests
        yield WatchTarget(VMS.path, metadata_only=True), self.vms
        for format in FORMATS.values():
            path = templates(format).path
            yield WatchTarget(path, metadata_only=True, selector=f"{REFRESH}=OnChange"), self.templates[format.name]

    def _templates(self, format: Format) -> TemplateStore:
        return TemplateStore(
            changed=lambda template: self._wake(
                self.requests.by_template(format, template), self.templates[format.name]
            ),
            on_synced=lambda: self._wake(self.requests.by_format(format)),
        )

    def _vm_changed(self, vm: ObjectKey) -> None:
        self._wake(self.requests.by_source(vm), self.vms)

    def _wake(self, keys: Iterable[ObjectKey], by: Store | None = None) -> None:
        """Have requests looked at: those that a first list wakes, or a whole API that appears, after fresh ones."""
        backlog = by is None or not by.is_served
        for key in keys:
            self.queue.add(key, backlog=backlog)

    def _figures(self) -> Iterable[StreamFigures]:
        for name, (sink, watch) in self._watches.items():
            yield StreamFigures(name, len(sink), bool(sink.is_served), watch.lists, watch.consecutive_failures)
