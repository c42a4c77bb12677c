"""Metrics that are read from the parts of the controller at the time of a scrape."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Reason
from atmpl.kube.workqueue import WorkQueue

CONTROLLER = "virtualmachinetemplaterequest"  # controller-runtime's label `controller`, client-go's label `name`
PENDING, UNKNOWN = "Pending", "Unknown"  # no status yet; a reason that this version does not know
REQUEST_REASONS = (*map(str, Reason), PENDING, UNKNOWN)


class QueueCollector(Collector):
    """client-go's metrics of a work queue, and controller-runtime's of its workers."""

    def __init__(self, queue: WorkQueue[ObjectKey], workers: int) -> None:
        self._queue = queue
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        queue, busy_seconds = self._queue, self._queue.busy_seconds
        yield _gauge(
            "workqueue_depth",
            "Requests that wait for a worker, or with a large template for a slot; on a standby, all requests",
            len(queue),
            name=CONTROLLER,
        )
        yield _gauge("workqueue_delayed", "Requests that wait for a deadline", queue.delayed, name=CONTROLLER)
        yield _counter("workqueue_adds_total", "Requests that became ready for a worker", queue.adds, name=CONTROLLER)
        yield _counter("workqueue_retries_total", "Requests requeued after a failure", queue.retries, name=CONTROLLER)
        yield _gauge(
            "workqueue_unfinished_work_seconds",
            "Sum of the durations of the reconciles in progress",
            sum(busy_seconds),
            name=CONTROLLER,
        )
        yield _gauge(
            "workqueue_longest_running_processor_seconds",
            "Duration of the longest reconcile in progress",
            max(busy_seconds, default=0.0),
            name=CONTROLLER,
        )
        yield _gauge(
            "controller_runtime_active_workers", "Workers that have a request", queue.busy, controller=CONTROLLER
        )
        yield _gauge(
            "controller_runtime_max_concurrent_reconciles",
            "Workers of this replica while it is the leader",
            self._workers,
            controller=CONTROLLER,
        )


class StreamFigures(NamedTuple):
    """The state of a watch stream."""

    name: str
    objects: int  # in its store
    synced: bool  # True if the first list is complete, or the cluster does not serve the API
    served: bool  # True if the cluster serves the API
    lists: int  # complete lists since the start
    failures: int  # since the start
    consecutive_failures: int


class StreamCollector(Collector):
    """Metrics of the watch streams."""

    def __init__(self, streams: Callable[[], Iterable[StreamFigures]]) -> None:
        self._streams = streams

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        objects = GaugeMetricFamily(
            "atmpl_watch_objects",
            "Objects in the store of a stream: all requests, VMs that a request refers to, refreshed templates",
            labels=["stream"],
        )
        synced = GaugeMetricFamily(
            "atmpl_watch_synced",
            "1 once the first list of the stream is complete or its API is known to be absent, 0 before",
            labels=["stream"],
        )
        served = GaugeMetricFamily(
            "atmpl_watch_served", "1 if the cluster serves the API of the stream, 0 if it does not", labels=["stream"]
        )
        lists = CounterMetricFamily(
            "atmpl_watch_lists_total",
            "Complete lists: one at the start, and one each time the watch could not be continued",
            labels=["stream"],
        )
        failures = CounterMetricFamily(
            "atmpl_watch_failures_total", "Watches and lists that ended with an error", labels=["stream"]
        )
        consecutive_failures = GaugeMetricFamily(
            "atmpl_watch_consecutive_failures",
            "Failures since the watch was open for the last time; 0 while it is open",
            labels=["stream"],
        )
        for stream in self._streams():
            objects.add_metric([stream.name], stream.objects)
            synced.add_metric([stream.name], int(stream.synced))
            served.add_metric([stream.name], int(stream.served))
            lists.add_metric([stream.name], stream.lists)
            failures.add_metric([stream.name], stream.failures)
            consecutive_failures.add_metric([stream.name], stream.consecutive_failures)
        return (objects, synced, served, lists, failures, consecutive_failures)


class RequestCollector(Collector):
    """The number of requests by the reason in their status."""

    def __init__(self, reasons: Callable[[], Iterable[str]]) -> None:
        self._reasons = reasons

    def collect(self) -> Iterable[Metric]:
        """Return the metric."""
        counts = Counter(
            reason if reason in REQUEST_REASONS else UNKNOWN if reason else PENDING for reason in self._reasons()
        )
        requests = GaugeMetricFamily(
            "atmpl_requests",
            "Requests by the reason of their condition Ready; Pending: without a status",
            labels=["reason"],
        )
        for reason in REQUEST_REASONS:
            requests.add_metric([reason], counts[reason])
        yield requests


class ValueCollector(Collector):
    """Single values, each read by a function."""

    def __init__(self) -> None:
        self._read: list[Callable[[], Metric]] = []

    def gauge(self, name: str, text: str, value: Callable[[], float], **labels: str) -> None:
        """Add a gauge."""
        self._read.append(lambda: _gauge(name, text, value(), **labels))

    def counter(self, name: str, text: str, value: Callable[[], float], **labels: str) -> None:
        """Add a counter."""
        self._read.append(lambda: _counter(name, text, value(), **labels))

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        return [read() for read in self._read]


def _gauge(metric: str, text: str, value: float, /, **labels: str) -> Metric:
    gauge = GaugeMetricFamily(metric, text, labels=[*labels])
    gauge.add_metric([*labels.values()], value)
    return gauge


def _counter(metric: str, text: str, value: float, /, **labels: str) -> Metric:
    counter = CounterMetricFamily(metric, text, labels=[*labels])
    counter.add_metric([*labels.values()], value)
    return counter
