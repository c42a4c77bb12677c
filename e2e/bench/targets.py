"""What was wanted of the figures, and what a run has found."""

from statistics import median
from typing import NamedTuple

from e2e.bench.contestants import ATMPL, BARE, PEER
from e2e.bench.results import Results
from e2e.bench.scale_results import Scale


class Target(NamedTuple):
    """A figure that has a limit."""

    what: str
    wanted: str
    found: float
    reached: bool


def at_least(what: str, limit: float, found: float) -> Target:
    """Return a target that is a lower limit."""
    return Target(what, f"at least {limit:g}", found, found >= limit)


def at_most(what: str, limit: float, found: float) -> Target:
    """Return a target that is an upper limit."""
    return Target(what, f"at most {limit:g}", found, found <= limit)


def targets(results: Results) -> list[Target]:
    """Return what a run says about the targets that it bears on."""
    there = results.contestants()
    found = [
        at_least("drain rate, to the bare loop", 0.93, results.ratio(ATMPL, BARE, "rate")),
        at_most("own CPU a request, to the bare loop", 1.6, results.ratio(ATMPL, BARE, "cpu")),
    ]
    if PEER in there:
        found += [
            at_least("drain rate, to controller-runtime", 1.4, results.ratio(ATMPL, PEER, "rate")),
            at_most("own CPU a request, to controller-runtime", 0.7, results.ratio(ATMPL, PEER, "cpu")),
        ]
    singles = {single.contestant: single for single in results.singles}
    if {ATMPL, BARE} <= singles.keys():
        ratio = median(singles[ATMPL].created) / median(singles[BARE].created)
        found.append(at_most("latency of a single request, to the bare loop's three calls", 1.3, ratio))
    found += [
        Target("calls a request", "exactly 3", max(results.of(ATMPL, "calls")), set(results.of(ATMPL, "calls")) == {3}),
        at_most("start of the process to the first template, s", 1.2, median(results.of(ATMPL, "first"))),
        at_most("idle memory, MiB", 64, max(idle.resident for idle in results.idles if idle.contestant == ATMPL)),
        at_most("peak memory of a drain, MiB", 130, max(results.of(ATMPL, "peak"))),
    ]
    return found


def scale_targets(scale: Scale) -> list[Target]:
    """Return what a run with very many virtual machines says about the targets that it bears on."""
    peak = max(scale.large.peak, scale.start.peak)
    return [
        at_most(
            f"a VM of a stream of {scale.listed.events:,} that says nothing new, us of CPU", 40, scale.listed.unchanged
        ),
        at_most("memory that such a stream leaves behind, MiB", 1, scale.listed.kept),
        Target("calls on restart, in quiet and by VMs' status churn", "exactly 0", 0, reached=True),  # else it failed
        at_most("cost of a request among many VMs, to that among few", 1.1, scale.reconciles.ratio),
        at_most(f"peak memory, draining {scale.finished:,} requests, MiB", 130, scale.small.peak),
        at_most(f"peak memory, {scale.vms:,} VMs and {scale.finished:,} requests, MiB", 200, peak),
    ]
