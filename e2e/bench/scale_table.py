"""What a run with very many virtual machines has found, as Markdown."""

from statistics import median

from e2e.bench.results import Drain
from e2e.bench.scale_results import Scale
from e2e.bench.table import markdown, targets_table
from e2e.bench.targets import scale_targets


def scale_report(scale: Scale) -> str:
    """Return the whole report."""
    return "\n\n".join((_summary(scale), scale_figures(scale), targets_table(scale_targets(scale)))) + "\n"


def _summary(scale: Scale) -> str:
    machine = scale.machine
    return (
        f"{scale.vms:,} virtual machines of {scale.size:,.0f} bytes of metadata each, {scale.finished:,} finished "
        f"requests, {scale.fresh:,} fresh ones; beside a cluster of {scale.few:,} virtual machines; {scale.workers} "
        f"workers; all of it on {machine.cores} cores of {machine.processor}, {machine.memory} GiB, {machine.kernel}, "
        f"etcd without fsync; Kubernetes {machine.kubernetes}, Python {machine.python}."
    )


def scale_figures(scale: Scale) -> str:
    """Return the figures' table."""
    among = f"among {scale.vms:,} virtual machines"
    rows = [
        [f"start to ready, {among}", f"{scale.start.ready:.2f} s"],
        ["start to the first fresh template", f"{scale.start.first:.2f} s"],
        [f"start to all {scale.fresh:,} fresh templates", f"{scale.start.served:.1f} s"],
        ["CPU of that", f"{scale.start.cpu:.1f} s"],
        ["peak memory of that", f"{scale.start.peak:.0f} MiB"],
        _drained(scale.small, scale.finished, scale.few),
        _drained(scale.large, scale.finished, scale.vms),
        ["memory in quiet", f"{scale.quiet.resident:.0f} MiB"],
        [f"CPU of a quiet hour, from {scale.quiet.seconds:.0f} s", f"{scale.quiet.hour:.1f} s"],
        [f"CPU of a VM's change of status, at {scale.churn.rate:.0f} a second", f"{scale.churn.cpu:.0f} us"],
        [f"memory that {scale.churn.events:,} such changes left behind", f"{scale.churn.kept:.1f} MiB"],
        ["CPU of a VM in the first list", f"{scale.listed.fresh:.0f} us"],
        ["CPU of a VM in a list that says nothing new", f"{scale.listed.unchanged:.0f} us"],
        [f"CPU of a request that comes, among {scale.few:,}", f"{median(scale.reconciles.small):.2f} ms"],
        [f"CPU of a request that comes, {among}", f"{median(scale.reconciles.large):.2f} ms"],
    ]
    ratios = sorted(scale.reconciles.ratios)
    rows.append([f"that, to that; least-most of {len(ratios)} turns", f"{ratios[0]:.2f}-{ratios[-1]:.2f}"])
    return markdown(["atmpl", "found"], rows)


def _drained(drain: Drain, count: int, vms: int) -> list[str]:
    return [f"peak memory, draining {count:,} requests among {vms:,}", f"{drain.peak:.0f} MiB"]
