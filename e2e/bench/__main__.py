"""`just bench`: measure and print a report; progress is on standard error."""

import argparse
import asyncio
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.bench import implementations
from e2e.bench.bench_cluster import FAILURES, bench_cluster
from e2e.bench.implementations import BaselineLoop
from e2e.bench.profile import profile
from e2e.bench.render_cost import render_cost
from e2e.bench.scale import scale
from e2e.bench.text_cost import text_cost
from e2e.bench.throughput import measure, report
from e2e.envtest.build import pinned, print_progress

PACKAGES = ("aiohttp", "msgspec", "orjson", "uvloop", "kopf")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a benchmark; return the exit status."""
    args = options().parse_args(argv)
    try:
        lines = asyncio.run(run(args))
    except FAILURES as error:
        print(f"nothing to report: {error}", file=sys.stderr)
        return 1
    print(f"{machine()}\n", *lines, sep="\n")
    return 0


def options() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="just bench", description="Benchmarks of atmpl on a real API server.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="BENCHMARK")

    def command(name: str, help: str, **numbers: int) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        for option, default in numbers.items():
            added.add_argument(f"--{option}", type=int, default=default, metavar="N", help="how many")
        return added

    throughput = command(
        "throughput",
        "requests per second, CPU, memory and latency, beside the baseline loop and controller-runtime",
        requests=1000,
        vms=1000,
        repetitions=5,
        workers=64,
        alone=100,
        loaded=300,
    )
    throughput.add_argument("--without-peer", action="store_true", help="leave out controller-runtime, which needs Go")
    throughput.add_argument("--kopf", action="store_true", help="also measure kopf (pip install kopf)")
    numbers = {"vms": 100_000, "few": 1000, "finished": 3000, "fresh": 500, "quiet": 60, "events": 2000, "large": 64}
    command("scale", "atmpl with very many virtual machines", **numbers, repetitions=3, workers=64)
    command("render", "what a template costs, by its size")
    profiled = command("profile", "CPU of atmpl and the API server (py-spy, Go)", requests=2000, vms=1000, workers=64)
    profiled.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="for the flame graph and profile"
    )
    return parser


async def run(args: argparse.Namespace) -> list[str]:
    """Run the benchmark; return its report. Raises what FAILURES names."""
    match args.command:
        case "throughput":
            return await _throughput(args)
        case "scale":
            return await scale(args, print_progress)
        case "render":
            return [*await asyncio.to_thread(render_cost), "", *await asyncio.to_thread(text_cost)]
        case _:
            args.output.mkdir(parents=True, exist_ok=True)
            return await profile(args.requests, args.vms, args.workers, args.output)


async def _throughput(args: argparse.Namespace) -> list[str]:
    if not args.without_peer:
        await asyncio.to_thread(implementations.peer_program)
    async with bench_cluster() as cluster:
        print_progress(f"posting {args.vms} virtual machines")
        await cluster.post_vms(args.vms)
        server, workers = cluster.server, args.workers
        measured = [BaselineLoop(server, workers), implementations.atmpl(server, workers)]
        if not args.without_peer:
            measured.append(implementations.controller_runtime(server, workers))
        if args.kopf:
            measured.append(implementations.kopf(server, workers))
        found, full_load = await measure(
            cluster,
            measured,
            requests=args.requests,
            repetitions=args.repetitions,
            alone=args.alone,
            loaded=args.loaded,
            log=print_progress,
        )
    return [report(found, full_load)]


def machine() -> str:
    """Describe the machine and the versions that decide over speed."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "")
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    installed = {found.name for found in importlib.metadata.distributions()}
    packages = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if name in installed]
    return (
        f"{len(os.sched_getaffinity(0))} cores of {processor or platform.machine()}, {gibibytes:.0f} GiB, "
        f"Linux {platform.release()}; Kubernetes {pinned('k8s.io/kubernetes')}, Python {platform.python_version()}, "
        f"{', '.join(packages)}"
    )


if __name__ == "__main__":
    sys.exit(main())
