"""What is counted, by the field's names: client-go's of a queue, controller-runtime's of a reconcile, ours of the rest.

Read at the time of a scrape wherever something else counts it already. Times are in seconds. Every series that is known
beforehand is there from the start, at 0: Prometheus sees no increase in a series that begins at 1, and no alert would
come of the first time that something goes wrong. config/monitoring/METRICS.md is all of it, for people.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from atmpl.controller.authorization import PolicyCheck
from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Outcome, Result, outcome_names
from atmpl.kube.workqueue import WorkQueue

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
RENDER_BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
CONTROLLER = "virtualmachinetemplaterequest"  # controller-runtime's label, and client-go's name of the queue

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter that nobody reads


class Metrics:
    """The registry of one manager, and what its parts count themselves."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._results = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result: success, error (tried again), requeue (judged anew at once), requeue_after",
            ["controller", "result"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Time of a reconcile, its calls included",
            ["controller"],
            registry=self.registry,
            buckets=BUCKETS,
        ).labels(CONTROLLER)
        self._outcomes = Counter(
            "atmpl_outcomes_total",
            "Reconciles by outcome: a reason of Ready, or UpToDate, Detached, SourceGone, Conflict, RequestGone",
            ["outcome"],
            registry=self.registry,
        )
        self._verdicts = Counter(
            "atmpl_access_verdicts_total",
            "Reads of the admission policy for a request, by its state",
            ["verdict"],
            registry=self.registry,
        )
        for result in Result:
            self._results.labels(CONTROLLER, result)
        for outcome in outcome_names():
            self._outcomes.labels(outcome)
        for verdict in PolicyCheck:
            self._verdicts.labels(verdict.label)
        self.render_seconds = Histogram(
            "atmpl_render_time_seconds",
            "Time to render a template and to prove it",
            registry=self.registry,
            buckets=RENDER_BUCKETS,
        )
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds",
            "Time that a request waits in the queue before a worker takes it",
            ["name"],
            registry=self.registry,
            buckets=BUCKETS,
        ).labels(CONTROLLER)

    def state(self, *, leads: Callable[[], bool], ready: Callable[[], bool]) -> None:
        """Show whether this replica works, and whether it could."""
        for name, text, true in (
            ("atmpl_leader", "1 while this replica works, 0 while it stands by", leads),
            ("atmpl_ready", "1 once the first lists are in, as /readyz says it", ready),
        ):
            Gauge(name, text, registry=self.registry).set_function(true)

    def reconciled(self, outcome: Outcome, verdict: PolicyCheck | None, seconds: float) -> None:
        """Count a reconcile."""
        self._results.labels(CONTROLLER, outcome.result).inc()
        self._outcomes.labels(outcome.name).inc()
        self._seconds.observe(seconds)
        if verdict is not None:
            self._verdicts.labels(verdict.label).inc()


class QueueCollector(Collector):
    """client-go's figures of a work queue."""

    def __init__(self, queue: WorkQueue[ObjectKey], workers: int) -> None:
        self._queue = queue
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """Return the figures as they are now."""
        queue = self._queue
        yield _gauge(
            "workqueue_depth",
            "Requests that are ready for a worker; while a replica stands by, all that it would look at first",
            "name",
            len(queue),
        )
        yield _gauge("workqueue_delayed", "Requests that wait for a time to come", "name", queue.delayed)
        yield _counter("workqueue_adds_total", "Requests that became ready for a worker", "name", queue.adds)
        yield _counter("workqueue_retries_total", "Requests put back after a failure", "name", queue.retries)
        name = "controller_runtime_active_workers"
        yield _gauge(name, "Workers that have a request in hand", "controller", queue.busy)
        name = "controller_runtime_max_concurrent_reconciles"
        yield _gauge(name, "Workers that this replica has while it works", "controller", self._workers)


class StreamFigures(NamedTuple):
    """What a watch stream has to say of itself."""

    name: str
    objects: int  # that it knows
    served: bool  # whether the cluster has that API
    lists: int  # complete ones, so far
    failures: int  # in a row


class StreamCollector(Collector):
    """Figures of the watch streams."""

    def __init__(self, streams: Callable[[], Iterable[StreamFigures]]) -> None:
        self._streams = streams

    def collect(self) -> Iterable[Metric]:
        """Return the figures as they are now."""
        objects = GaugeMetricFamily(
            "atmpl_watch_objects", "Objects that a stream knows; of templates, those kept in step", labels=["stream"]
        )
        served = GaugeMetricFamily(
            "atmpl_watch_served",
            "1 while the cluster serves what the stream watches, 0 while it does not",
            labels=["stream"],
        )
        lists = CounterMetricFamily(
            "atmpl_watch_lists_total",
            "Complete lists that a stream has taken: one at the start, and one whenever it had lost its place",
            labels=["stream"],
        )
        failures = GaugeMetricFamily(
            "atmpl_watch_failures", "Failures in a row of a stream, 0 while it is open", labels=["stream"]
        )
        for stream in self._streams():
            objects.add_metric([stream.name], stream.objects)
            served.add_metric([stream.name], int(stream.served))
            lists.add_metric([stream.name], stream.lists)
            failures.add_metric([stream.name], stream.failures)
        return (objects, served, lists, failures)


def _gauge(name: str, text: str, label: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=[label])
    gauge.add_metric([CONTROLLER], value)
    return gauge


def _counter(name: str, text: str, label: str, value: float) -> Metric:
    counter = CounterMetricFamily(name, text, labels=[label])
    counter.add_metric([CONTROLLER], value)
    return counter
