"""Metrics, with the names of client-go for queues, calls and leases, and of controller-runtime for reconciles.

Values that another object counts are read at the time of a scrape (collectors.py). Times are in seconds. Every series
whose labels are known exists from the start, with the value 0: Prometheus sees no increase in a series that begins at
1, so an alert would miss the first failure. config/monitoring/METRICS.md is the reference for users.
"""

import platform
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from atmpl.controller.authorization import PolicyCheck
from atmpl.controller.outcome import InternalError, Outcome, Result, outcome_names
from atmpl.manager.collectors import CONTROLLER
from atmpl.version import __version__

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
QUEUE_BUCKETS = (*BUCKETS, 100.0, 300.0, 1000.0)
RENDER_BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
METHODS = ("GET", "POST", "PATCH", "DELETE", "WATCH")

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series per counter, of no use here


class Metrics:
    """The registry of one manager, and the metrics that its parts report."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        results = self._counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result: success, error (retried with backoff), requeue (after a conflict), requeue_after",
            "controller",
            "result",
        )
        self._errors = self._counter(
            "controller_runtime_reconcile_errors_total", "Reconciles that are retried with backoff", "controller"
        ).labels(CONTROLLER)
        self._panics = self._counter(
            "controller_runtime_reconcile_panics_total", "Reconciles that ended with an internal error", "controller"
        ).labels(CONTROLLER)
        self._seconds = self._histogram(
            "controller_runtime_reconcile_time_seconds", "Duration of a reconcile, calls included", "controller"
        ).labels(CONTROLLER)
        outcomes = self._counter(
            "atmpl_outcomes_total",
            "Reconciles by outcome: reason of Ready, SourceGone, Detached, Conflict, Postponed, UpToDate, RequestGone, "
            "or Expired",
            "outcome",
        )
        verdicts = self._counter(
            "atmpl_access_verdicts_total", "Reads of the admission policy for a request, by its state", "verdict"
        )
        self._calls = self._counter(
            "rest_client_requests_total", "Calls to the API server by status code and method", "code", "method"
        )
        self._call_seconds = self._histogram(
            "rest_client_request_duration_seconds",
            "Duration of a call to the API server; of a watch, until it is open",
            "verb",
        )
        self._call_series: dict[tuple[str, str], tuple[Counter, Histogram]] = {}  # by method and code
        self.render_seconds = Histogram(
            "atmpl_render_time_seconds",
            "Time to render a template and to verify it",
            registry=self.registry,
            buckets=RENDER_BUCKETS,
        )
        self.queue_seconds = self._histogram(
            "workqueue_queue_duration_seconds",
            "Time that a request waits in the queue until a worker takes it",
            "name",
            buckets=QUEUE_BUCKETS,
        ).labels(CONTROLLER)
        self.work_seconds = self._histogram(
            "workqueue_work_duration_seconds", "Time that a worker has a request", "name", buckets=QUEUE_BUCKETS
        ).labels(CONTROLLER)
        self.leader_transitions = self._counter(
            "atmpl_leader_transitions_total", "Times that this replica became the leader"
        )
        build = Gauge(
            "atmpl_build_info", "1; version of atmpl and of Python", ["version", "python"], registry=self.registry
        )
        build.labels(__version__, platform.python_version()).set(1)
        self._results = {result: results.labels(CONTROLLER, result) for result in Result}
        self._outcomes = {name: outcomes.labels(name) for name in outcome_names()}
        self._verdicts = {check: verdicts.labels(check.label) for check in PolicyCheck}
        for method in METHODS:
            self._calls.labels("200", method)
            self._call_seconds.labels(method)

    def state(self, *, leads: Callable[[], bool], ready: Callable[[], bool]) -> None:
        """Add the gauges of leadership and readiness."""
        for name, text, is_true in (
            ("atmpl_leader", "1 while this replica works, 0 while it is on standby", leads),
            ("atmpl_ready", "1 once the list of requests is complete, as /readyz", ready),
        ):
            Gauge(name, text, registry=self.registry).set_function(is_true)
        Gauge(
            "leader_election_master_status",
            "client-go's name of atmpl_leader",
            ["name"],
            registry=self.registry,
        ).labels("atmpl-controller").set_function(leads)

    def reconciled(self, outcome: Outcome, policy_check: PolicyCheck | None, seconds: float) -> None:
        """Count a reconcile."""
        self._results[outcome.result].inc()
        if outcome.result is Result.ERROR:
            self._errors.inc()
        if isinstance(outcome, InternalError):
            self._panics.inc()
        self._outcomes[outcome.name].inc()
        self._seconds.observe(seconds)
        if policy_check is not None:
            self._verdicts[policy_check].inc()

    def panicked(self) -> None:
        """Count a reconcile that raised an exception."""
        self._panics.inc()

    def called(self, method: str, code: str, seconds: float) -> None:
        """Count a call to the API server."""
        series = self._call_series.get((method, code))
        if series is None:  # `labels` costs more than the rest
            series = self._calls.labels(code, method), self._call_seconds.labels(method)
            self._call_series[method, code] = series
        count, duration = series
        count.inc()
        duration.observe(seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = BUCKETS) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)
