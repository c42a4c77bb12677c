"""Small benchmarks on real servers, and what their reports compute."""

import shutil
from pathlib import Path

import pytest

from e2e.bench.__main__ import main, options, run
from e2e.bench.bench_cluster import FailedError
from e2e.bench.implementations import ATMPL, BASELINE, cached_peer
from e2e.bench.render_cost import render_cost
from e2e.bench.throughput import Drain, Measured, percentile, report

THROUGHPUT = ["throughput", "--requests=20", "--repetitions=1", "--vms=3", "--alone=3", "--loaded=5"]
SCALE = [
    "scale",
    "--vms=30",
    "--few=3",
    "--finished=4",
    "--fresh=2",
    "--quiet=1",
    "--events=3",
    "--large=2",
    "--repetitions=1",
]


async def test_throughput_reports_every_implementation() -> None:
    peer = [] if cached_peer().exists() else ["--without-peer"]  # its first build takes minutes
    [text] = await run(options().parse_args([*THROUGHPUT, *peer]))
    drains, comparisons, latencies = (part.splitlines() for part in text.split("\n\n"))
    drains, latencies = drains[1:], latencies[1:]
    assert [line.partition(":")[0] for line in comparisons] == [
        *("atmpl to baseline loop", *([] if peer else ["atmpl to controller-runtime"]), "calls per request")
    ]
    assert [line.split()[0] for line in drains] == ["baseline", "atmpl", *([] if peer else ["controller-runtime"])]
    assert [line.count(" / ") for line in latencies] == [1, 4, *([] if peer else [4])]


async def test_scale_reports_every_step() -> None:
    lines = await run(options().parse_args(SCALE))
    assert [line.partition(":")[0] for line in lines] == [
        "start among 30 VMs with 10 requests",
        "CPU per event of a VM that no request refers to, in a stream (the list of 27 more VMs)",
        "draining 4 requests with 3 VMs",
        "draining 4 requests with 30 VMs",
        "start",
        "no events for 1 s",
        *(line.partition(":")[0] for line in lines[6:8]),
        "a request",
        "2 requests with OnChange on a VM of 990 kB",
        "2 requests with OnChange on a VM of 5,000 short texts",
    ]


def test_render_reports_the_longest_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.bench.render_cost.SECONDS", 0.0)
    monkeypatch.setattr("e2e.bench.render_cost.SIZES", (0,))
    lines = render_cost()
    assert "rendered" in next(line for line in lines if line.startswith("7,000 keys"))
    assert "rejected" in next(line for line in lines if line.startswith("240,000 items"))
    assert lines[-1].startswith("longest time that one VM or message blocks the event loop: ")


@pytest.mark.skipif(not (shutil.which("py-spy") and shutil.which("go")), reason="needs py-spy and Go")
async def test_profile_writes_a_flame_graph(tmp_path: Path) -> None:
    arguments = ["profile", "--requests=20", "--vms=5", "--workers=4", f"--output={tmp_path}"]
    top, _ = await run(options().parse_args(arguments))
    assert "flat%" in top
    assert "<svg" in (tmp_path / "atmpl.svg").read_text()


def test_failed_run_reports_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def failing(*_: object) -> None:
        raise FailedError("request r is not ready")

    monkeypatch.setattr("e2e.bench.__main__.run", failing)
    assert main(["render"]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "nothing to report: request r is not ready\n")


PERCENTILES = [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (1.0, 4.0), (0.01, 1.0)]


@pytest.mark.parametrize(("part", "value"), PERCENTILES)
def test_percentile_is_the_nearest_rank(part: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], part) == value


def test_report_computes_medians_and_ratios() -> None:
    def drains(*rates_and_cpu: tuple[float, float]) -> Measured:
        return Measured([Drain(rate, cpu, server_cpu=5, peak=60, first=0.5) for rate, cpu in rates_and_cpu])

    measured = {BASELINE: drains((100, 1.0), (200, 1.0)), ATMPL: drains((95, 1.5), (180, 1.7))}
    measured[ATMPL].idle_memory = [42, 44]
    measured[ATMPL].loaded = {0.2: [0.3, 0.2, 2.0]}
    lines = report(measured, full_load=80).splitlines()
    assert "atmpl to baseline loop: drain rate 0.93, CPU per request 1.60" in lines
    # 0.925 is the median of 95/100 and 180/200
    assert lines[2].split() == ["atmpl", "138", "(95-180)", "0.93", "1.60", "1.60", "5.00", "60", "43", "0.50"]
    assert lines[-1].split() == ["atmpl", "20%", "300.0", "/", "2000.0"]
