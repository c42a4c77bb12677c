"""Results of a run that never was, with figures that are easily checked by head."""

from e2e.bench.results import Drain, Idle, Machine, Paced, Results, Single


def results() -> Results:
    machine = Machine(
        processor="Abacus 3",
        cores=2,
        memory=16,
        kernel="Linux 6.1",
        python="3.11.7",
        kubernetes="v1.36.2",
        packages={"aiohttp": "3.14"},
        definition="stand-in",
    )
    return Results(
        when="2026-01-01T00:00:00Z",
        machine=machine,
        requests=2000,
        vms=1000,
        connections=64,
        repetitions=2,
        idles=[Idle("atmpl", start=0.5, cpu=0.4, resident=42), Idle("atmpl", start=0.5, cpu=0.4, resident=44)],
        drains=[
            Drain("bare loop", rate=100, cpu=1.0, server_cpu=5, peak=60, first=0.3, calls=3),
            Drain("bare loop", rate=200, cpu=1.0, server_cpu=5, peak=61, first=0.3, calls=3),
            Drain("atmpl", rate=95, cpu=1.5, server_cpu=6, peak=70, first=0.8, calls=3),
            Drain("atmpl", rate=180, cpu=1.7, server_cpu=6, peak=71, first=1.0, calls=3),
        ],
        ceiling=80,
        singles=[
            Single("bare loop", created=[0.010, 0.010, 0.020], whole=[0.010, 0.010, 0.020]),
            Single("atmpl", created=[0.012, 0.012, 0.030], whole=[0.015, 0.015, 0.033]),
        ],
        paced=[
            Paced("atmpl", load=0.2, rate=16, latencies=[0.02, 0.03, 0.05]),
            Paced("atmpl", load=0.8, rate=64, latencies=[0.2, 0.3, 2.0]),
        ],
    )
