"""Connect the parts of the controller: streams fill stores, stores enqueue requests, workers reconcile them."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable
from datetime import datetime
from random import Random
from typing import Any

from atmpl.controller.objects import ObjectKey
from atmpl.kube.client import KubeClient
from atmpl.kube.cluster import MAX_READS, KubeCluster
from atmpl.kube.event_recorder import EventRecorder
from atmpl.kube.leader_election import LeaderElector
from atmpl.kube.streams import Streams
from atmpl.kube.workqueue import WorkQueue
from atmpl.manager import logs
from atmpl.manager.collectors import QueueCollector, RequestCollector, StreamCollector, StreamFigures, ValueCollector
from atmpl.manager.metrics import Metrics
from atmpl.manager.policy_monitor import PolicyMonitor
from atmpl.manager.worker import WorkerPool

log = logging.getLogger("atmpl")

MAX_LARGE_REQUESTS = 8  # reconciled at a time, or half of the workers if that is less; each holds up to 12 MiB
SHUTDOWN_GRACE_SECONDS = 3.0  # after SIGTERM until unfinished reconciles are cancelled


class Manager:
    """One controller: the streams, the queue and the workers of one client."""

    def __init__(
        self,
        client: KubeClient,
        metrics: Metrics,
        *,
        workers: int,
        random: Random,
        identity: str,
        namespaces: Collection[str] = (),
        lease: LeaderElector | None = None,
        policy_required: bool = True,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.queue = WorkQueue[ObjectKey](
            random=random,
            is_large=self._is_large,
            max_large=max(1, min(MAX_LARGE_REQUESTS, workers // 2)),
            on_queue_latency=metrics.queue_seconds.observe,
            on_work_duration=metrics.work_seconds.observe,
        )
        self.streams = Streams(client, self.queue, random=random, namespaces=namespaces)
        self.requests = self.streams.requests
        self.cluster = KubeCluster(
            client,
            self.requests,
            self.streams.vms,
            self.streams.templates,
            now=now or client.clock.now,
            max_reads=max(MAX_READS, workers * 3 // 8),  # a third of all calls are reads
        )
        self._workers = workers
        self._events = EventRecorder(client, identity)
        self._worker_pool = WorkerPool(
            self.queue, self.requests, self.cluster, metrics, self._events, policy_required=policy_required
        )
        self._lease = lease
        self._worker_tasks: set[asyncio.Task[None]] = set()  # empty while this replica is on standby
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed_tasks: list[str] = []  # names of tasks that ended with an error
        self._metrics = metrics
        self._policy_monitor = PolicyMonitor(self.cluster.policies) if policy_required else None
        self._register_collectors(client)
        metrics.state(leads=lambda: bool(self._worker_tasks), ready=lambda: not self.unready())

    def unhealthy(self) -> str:
        """Return the names of failed tasks, or an empty string. An unavailable API server is not a failure."""
        return f"failed: {', '.join(self._failed_tasks)}" if self._failed_tasks else ""

    def unready(self) -> str:
        """Return why not all requests can be served yet, or an empty string."""
        return self.streams.unready()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Then finish the active reconciles, and only after them release the lease."""
        for stream in self.streams.all:
            self._start(stream.name, stream.run())
        self._start("events", self._events.run())
        if self._policy_monitor:
            self._start("policy monitor", self._policy_monitor.run())
        self._start("leader" if self._lease else "starter", self._run_leader())
        await stop.wait()
        log.info("stopping", extra={"active": self.queue.busy, "queued": len(self.queue)})
        self.queue.close()
        if self._worker_tasks:
            await asyncio.wait(self._worker_tasks, timeout=SHUTDOWN_GRACE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lease:
            await self._lease.release()

    async def _run_leader(self) -> None:
        """Run the workers once the requests are listed; with leader election, while this replica has the lease."""
        await self.requests.synced.wait()
        complete = [stream for stream in self.streams.all if stream.store.is_served is not None]
        log.info("ready", extra={stream.name: len(stream.store) for stream in complete})
        if self._lease is None:
            self._start_workers()
            return
        while True:
            await self._lease.acquire()
            log.info("lease acquired")
            self._start_workers()
            await self._lease.renew_until_lost()
            log.warning("lease lost", extra={"why": self._lease.problem})
            for task in self._worker_tasks:
                task.cancel()
            await asyncio.gather(*self._worker_tasks, return_exceptions=True)

    def _start_workers(self) -> None:
        self._metrics.leader_transitions.inc()
        for number in range(self._workers):
            task = self._start(f"worker {number}", self._worker_pool.run(self._holds_lease))
            self._worker_tasks.add(task)
            task.add_done_callback(self._worker_tasks.discard)

    def _is_large(self, key: ObjectKey) -> bool:
        """Return True if the request's template is expected to be large: the last one of its VM was."""
        request = self.requests.get(key)
        if request is None or request.spec is None or request.is_finished:
            return False
        return self.cluster.is_large(request.spec.source)

    def _holds_lease(self) -> bool:
        return self._lease is None or self._lease.is_held

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_end)
        return task

    def _on_task_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed_tasks.append(task.get_name())
            log.critical("task failed", exc_info=error, extra={"task": task.get_name()})

    def _register_collectors(self, client: KubeClient) -> None:
        registry, values = self._metrics.registry, ValueCollector()
        registry.register(QueueCollector(self.queue, self._workers))
        registry.register(StreamCollector(self._stream_figures))
        registry.register(RequestCollector(self.requests.reasons))
        values.counter("atmpl_events_lost_total", "Events that were not written", lambda: self._events.lost)
        values.counter(
            "atmpl_log_lines_dropped_total", "Log lines that were lost because their reader is slow", logs.dropped_lines
        )
        values.gauge(
            "atmpl_clock_skew_seconds",
            "Time by which the local clock is ahead of the API server's, which has a resolution of 1 s",
            client.clock.skew,
        )
        if (monitor := self._policy_monitor) is not None:
            values.gauge(
                "atmpl_policy_in_force",
                "1 if the admission policy is in force, 0 if not, NaN while it is not known",
                lambda: monitor.in_force,
            )
        registry.register(values)

    def _stream_figures(self) -> Iterable[StreamFigures]:
        for stream in self.streams.all:
            store, reflector = stream.store, stream.reflector
            yield StreamFigures(
                stream.name,
                len(store),
                store.is_served is not None,
                bool(store.is_served),
                reflector.lists,
                reflector.failures_total,
                reflector.consecutive_failures,
            )
