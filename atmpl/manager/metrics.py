"""What is counted, by the field's names. Read at the time of a scrape wherever something else counts it already."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from atmpl.controller.key import Key
from atmpl.kube.queue import WorkQueue

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
QUEUE = "requests"  # the label `name` of client-go's queue metrics


class Metrics:
    """The registry of one manager, and what its parts count themselves."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "atmpl_reconciles",
            "Reconciles by what they found: a reason of the condition Ready, or Unchanged, Moved, Gone",
            ["outcome"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "atmpl_reconcile_time_seconds", "Time of one reconcile", registry=self.registry, buckets=SECONDS
        )
        self.verdicts = Counter(
            "atmpl_access_verdicts",
            "Judgements whether the admission policy had checked the author of a request for another namespace's VM",
            ["verdict"],
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds",
            "Time that a request waits in the queue before a worker takes it",
            ["name"],
            registry=self.registry,
            buckets=SECONDS,
        ).labels(QUEUE)


class QueueCollector(Collector):
    """client-go's figures of a work queue."""

    def __init__(self, queue: WorkQueue[Key], workers: int) -> None:
        self._queue = queue
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """Return the figures as they are now."""
        queue = self._queue
        for name, text, value in (
            ("workqueue_depth", "Requests that are ready for a worker", len(queue)),
            ("workqueue_delayed", "Requests that wait for a time to come", queue.delayed),
            ("controller_runtime_active_workers", "Workers that have a request in hand", queue.busy),
            ("controller_runtime_max_concurrent_reconciles", "Workers in all", self._workers),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["name"])
            gauge.add_metric([QUEUE], value)
            yield gauge
        for name, text, value in (
            ("workqueue_adds_total", "Requests that became ready for a worker", queue.adds),
            ("workqueue_retries_total", "Requests that were put back after a failure", queue.retries),
        ):
            counter = CounterMetricFamily(name, text, labels=["name"])
            counter.add_metric([QUEUE], value)
            yield counter


class StreamCollector(Collector):
    """Figures of the watch streams."""

    def __init__(self, streams: Callable[[], Iterable[tuple[str, int, bool, int, int]]]) -> None:
        self._streams = streams  # (name, objects, served, lists, failures in a row)

    def collect(self) -> Iterable[Metric]:
        """Return the figures as they are now."""
        objects = GaugeMetricFamily("atmpl_watch_objects", "Objects that a stream knows", labels=["stream"])
        served = GaugeMetricFamily("atmpl_watch_served", "Whether the stream's API is served", labels=["stream"])
        lists = CounterMetricFamily("atmpl_watch_lists_total", "Lists that a stream has made", labels=["stream"])
        failing = GaugeMetricFamily(
            "atmpl_watch_failures", "Failures of a stream in a row; 0 while it runs", labels=["stream"]
        )
        for name, count, is_served, made, failures in self._streams():
            objects.add_metric([name], count)
            served.add_metric([name], int(is_served))
            lists.add_metric([name], made)
            failing.add_metric([name], failures)
        return (objects, served, lists, failing)
