"""`just scale`: atmpl among very many virtual machines, beside itself among few. Two clusters, measured in turn."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from e2e.bench import contestants, ending
from e2e.bench.drain import drain
from e2e.bench.machine import machine
from e2e.bench.scale_results import Reconciles, Scale
from e2e.bench.scale_steps import churn, listed, quiet, reconcile, size, start
from e2e.bench.scale_table import scale_report
from e2e.bench.stage import stage
from e2e.controlplane.build import say


def main(argv: Sequence[str] | None = None) -> int:
    """Do as the arguments say; return the exit status."""
    args = options(argv)
    return ending.report(run(args, say), args.output, "scale", md=scale_report)


def options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="just scale", description=__doc__)
    parser.add_argument("--vms", type=int, default=100_000, metavar="N", help="virtual machines (100,000)")
    parser.add_argument("--few", type=int, default=1000, metavar="N", help="... of the small cluster (1,000)")
    parser.add_argument("--finished", type=int, default=10_000, metavar="N", help="finished requests (10,000)")
    parser.add_argument("--fresh", type=int, default=1000, metavar="N", help="fresh requests (1,000)")
    parser.add_argument("--quiet", type=int, default=180, metavar="SECONDS", help="of a quiet time (180)")
    parser.add_argument("--events", type=int, default=5000, metavar="N", help="changes of VMs' statuses (5,000)")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="turns of each cluster (5)")
    parser.add_argument("--workers", type=int, default=64, metavar="N", help="atmpl's workers (64)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="also write report and figures there")
    return parser.parse_args(argv)


async def run(args: argparse.Namespace, say: Callable[[str], None]) -> Scale:
    """Measure, and say now and then how far it is. Raises what FAILURES names."""
    async with AsyncExitStack() as stack:
        few, many = [await stack.enter_async_context(stage(fsync=False)) for _ in range(2)]
        say(f"adding {args.few:,} and {args.vms:,} virtual machines")
        await few.add_vms(args.few)
        await many.add_vms(args.vms)
        drains = []
        for cluster in (few, many):
            say(f"draining {args.finished:,} requests among {len(cluster.vms):,} virtual machines")
            drains.append(await drain(cluster, contestants.atmpl(cluster.server, args.workers), args.finished))
        say(f"starting among {args.finished:,} finished and {args.fresh:,} fresh requests")
        small = contestants.atmpl(few.server, args.workers)
        large = contestants.atmpl(many.server, args.workers)
        started = await start(many, large, args.fresh)
        say(f"listening to {args.quiet} s of quiet")
        silence = await quiet(many, large, args.quiet)
        say(f"changing the status of {args.events:,} virtual machines")
        changes = await churn(many, large, args.events)
        say("comparing what a request costs")
        await asyncio.to_thread(small.ready)
        reconciles = Reconciles([], [])
        for turn in range(args.repetitions):
            reconciles.small.append(await reconcile(few, small, args.fresh, f"turn-{turn}"))
            reconciles.large.append(await reconcile(many, large, args.fresh, f"turn-{turn}"))
        for contestant in (small, large):
            await asyncio.to_thread(contestant.finish)
        say("reading the list of all virtual machines, again and again")
        return Scale(
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=await machine(many.client),
            workers=args.workers,
            few=len(few.vms),
            vms=len(many.vms),
            size=await size(many),
            finished=args.finished,
            fresh=args.fresh,
            small=drains[0],
            large=drains[1],
            start=started,
            quiet=silence,
            churn=changes,
            listed=await listed(many),
            reconciles=reconciles,
        )


if __name__ == "__main__":
    sys.exit(main())
