"""The results as tables: Markdown, which reads well on a terminal too."""

from collections.abc import Sequence
from statistics import median

from e2e.bench.contestants import ATMPL, BARE, KOPF
from e2e.bench.results import Results, percentile
from e2e.bench.targets import Target, targets


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up; all but the first are set to the right."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        first, *others = [
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join((first, *others))} |"

    rule = "|".join("-" * (width + 2) if not column else "-" * (width + 1) + ":" for column, width in enumerate(widths))
    return "\n".join((line(headings), f"|{rule}|", *map(line, rows)))


def report(results: Results) -> str:
    """Return the whole report."""
    parts = [
        summary(results),
        drains(results),
        latencies(results),
        targets_table(targets(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(results: Results) -> str:
    """Return what was done and where."""
    machine = results.machine
    there = {
        name: version for name, version in machine.packages.items() if name != KOPF or KOPF in results.contestants()
    }
    packages = ", ".join(f"{name} {version}" for name, version in there.items())
    return (
        f"{results.requests:,} requests a drain, {results.repetitions} drains each in turn, {results.connections} "
        f"connections or workers, {results.vms:,} virtual machines; everything (API server, etcd with fsync, "
        f"who is measured, a watcher) on {machine.cores} cores of {machine.processor}, {machine.memory} GiB, "
        f"{machine.kernel}; Kubernetes {machine.kubernetes}, Python {machine.python}, {packages}; virtual machines "
        f"by {machine.definition} definition. Medians, but the highest peak memory; ratios are medians of "
        "the ratios of neighbouring drains."
    )


def drains(results: Results) -> str:
    """Return the drains' table."""
    headings = [
        "draining",
        "requests/s",
        "least-most",
        "to the bare loop",
        "CPU a request",
        "to the bare loop",
        "API server's CPU",
        "peak memory",
        "idle memory",
        "start to first template",
    ]
    return markdown(headings, [_drains(results, name) for name in results.contestants()])


def _drains(results: Results, name: str) -> list[str]:
    rates = results.of(name, "rate")
    idle = [found.resident for found in results.idles if found.contestant == name]
    return [
        name,
        f"{median(rates):.0f}",
        f"{min(rates):.0f}-{max(rates):.0f}",
        f"{results.ratio(name, BARE, 'rate'):.2f}",
        f"{median(results.of(name, 'cpu')):.2f} ms",
        f"{results.ratio(name, BARE, 'cpu'):.2f}",
        f"{median(results.of(name, 'server_cpu')):.2f} ms",
        f"{max(results.of(name, 'peak')):.0f} MiB",
        f"{median(idle):.0f} MiB" if idle else "-",
        f"{median(results.of(name, 'first')):.2f} s" if name != BARE else "-",
    ]


def latencies(results: Results) -> str:
    """Return the latencies' table; nothing where none were measured."""
    if not results.singles:
        return ""
    loads = sorted({paced.load for paced in results.paced})
    headings = ["created to ready, p50 / p99", "alone"]
    headings += [f"at {load:.0%} ({load * results.ceiling:.0f}/s)" for load in loads]
    rows = []
    for single in results.singles:
        paced = {found.load: found.latencies for found in results.paced if found.contestant == single.contestant}
        cells = [_latency(single.created), *(_latency(paced[load]) if load in paced else "-" for load in loads)]
        rows.append([f"{single.contestant}'s three calls" if single.contestant == BARE else single.contestant, *cells])
    note = (
        f"100% is {results.ceiling:.0f} requests/s: what posting them and the bare loop's calls leave room for. "
        "Under load a request counts from the moment it was due to be posted."
    )
    return f"{markdown(headings, rows)}\n\n{note}"


def _latency(seconds: list[float]) -> str:
    return f"{percentile(seconds, 0.5) * 1000:.1f} / {percentile(seconds, 0.99) * 1000:.1f} ms"


def targets_table(found: Sequence[Target]) -> str:
    """Return what was wanted and what was found."""
    rows = [
        [target.what, target.wanted, f"{target.found:.3g}", "yes" if target.reached else "**no**"] for target in found
    ]
    return markdown([f"{ATMPL}", "wanted", "found", "reached"], rows)
