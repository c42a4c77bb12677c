"""`just bench`: the races, their report on standard output, and table, plot and raw figures in a folder."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from e2e.bench import contestants, ending
from e2e.bench.contestants import BareLoop, Contestant, Follower
from e2e.bench.drain import drain, idle
from e2e.bench.latency import bare_single, latencies
from e2e.bench.machine import machine
from e2e.bench.peer_build import peer_program
from e2e.bench.plot import plot
from e2e.bench.results import Results
from e2e.bench.stage import Stage, stage
from e2e.bench.table import report
from e2e.controlplane.build import say

RESULTS = Path(__file__).parent / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Do as the arguments say; return the exit status."""
    args = options(argv)
    return ending.report(run(args, say), args.output, "bench", md=report, svg=plot)


def options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="requests a drain (2000)")
    parser.add_argument("--vms", type=int, default=1000, metavar="N", help="virtual machines (1000)")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="drains of each (5)")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="connections, or workers (64)")
    parser.add_argument("--singles", type=int, default=200, metavar="N", help="requests one after the other (200)")
    parser.add_argument("--paced", type=int, default=600, metavar="N", help="requests at each pace (600); 0: none")
    parser.add_argument("--without-peer", action="store_true", help="leave the Go peer out")
    parser.add_argument("--raw-peer", action="store_true", help="also the Go peer with atmpl's calls, made by bytes")
    parser.add_argument("--kopf", action="store_true", help="measure a kopf peer too (pip install kopf)")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"also write table, plot and figures there, say to {RESULTS}"
    )
    return parser.parse_args(argv)


async def run(args: argparse.Namespace, say: Callable[[str], None]) -> Results:
    """Measure, and say now and then how far it is. Raises FailedError."""
    program = None if args.without_peer else await asyncio.to_thread(peer_program)
    async with stage() as cluster:
        say(f"posting {args.vms} virtual machines")
        await cluster.post_vms(args.vms)
        bare = BareLoop(cluster.server, args.connections)
        followers = [contestants.atmpl(cluster.server, args.connections)]
        if program:
            followers.append(contestants.peer(cluster.server, args.connections, program))
        if program and args.raw_peer:
            followers.append(contestants.peer(cluster.server, args.connections, program, raw=True))
        if args.kopf:
            followers.append(contestants.kopf(cluster.server, args.connections))
        say("warming the server up")
        await drain(cluster, bare, max(args.requests // 2, 1))
        idles, drains = [], []
        everyone: list[Contestant] = [bare, *followers]
        for repetition in range(args.repetitions):
            turn = repetition % len(everyone)
            for contestant in (*everyone[turn:], *everyone[:turn]):
                if isinstance(contestant, Follower):
                    idles.append(await idle(cluster, contestant))
                found = await drain(cluster, contestant, args.requests)
                say(f"{repetition + 1}: {found.contestant}: {found.rate:.0f}/s, {found.cpu:.2f} ms of CPU a request")
                drains.append(found)
        ceiling = _ceiling(cluster, [found.rate for found in drains if found.contestant == bare.name])
        singles, paced = [], []
        if args.paced:
            say(f"latencies; the ceiling is {ceiling:.0f} requests/s")
            singles.append(await bare_single(cluster, bare, args.singles))
            for follower in followers:
                single, at_pace = await latencies(cluster, follower, ceiling, args.singles, args.paced)
                singles.append(single)
                paced += at_pace
        return Results(
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=await machine(cluster.client),
            requests=args.requests,
            vms=args.vms,
            connections=args.connections,
            repetitions=args.repetitions,
            idles=idles,
            drains=sorted(drains, key=lambda found: [one.name for one in everyone].index(found.contestant)),
            ceiling=ceiling,
            singles=singles,
            paced=paced,
        )


def _ceiling(cluster: Stage, rates: list[float]) -> float:
    """Return how many requests a second can be both posted and served: both take the same cores."""
    return 1 / (1 / median(cluster.posted) + 1 / median(rates))


if __name__ == "__main__":
    sys.exit(main())
