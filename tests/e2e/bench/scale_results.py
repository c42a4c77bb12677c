"""Results among very many virtual machines, of a run that never was."""

import msgspec

from e2e.bench.listed import Listed
from e2e.bench.results import Drain
from e2e.bench.scale_results import Churn, Quiet, Reconciles, Scale, Start
from tests.e2e.bench.results import results


def scale() -> Scale:
    drain = Drain("atmpl", rate=100, cpu=1.5, server_cpu=5, peak=120, first=1.0, calls=3)
    return Scale(
        when="2026-01-01T00:00:00Z",
        machine=results().machine,
        workers=64,
        few=1000,
        vms=100_000,
        size=2154.4,
        finished=10_000,
        fresh=1000,
        small=drain,
        large=msgspec.structs.replace(drain, peak=180),
        start=Start(ready=4.0, first=4.5, served=9.0, cpu=6.0, peak=190),
        quiet=Quiet(seconds=180, cpu=0.1, resident=150),
        churn=Churn(events=5000, rate=300, cpu=90, kept=0.5),
        listed=Listed(events=100_000, fresh=35, unchanged=30, kept=0.2),
        reconciles=Reconciles(small=[1.0, 2.0, 1.0], large=[1.05, 2.4, 1.0]),
    )
