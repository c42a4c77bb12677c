"""`just chaos`: scenarios in their long form; the exit status is 1 if a scenario finds a problem."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from e2e.chaos.backlog import backlog
from e2e.chaos.edits import edits
from e2e.chaos.outage import outage
from e2e.chaos.poison import poison
from e2e.chaos.random_kills import MODES, chaos
from e2e.chaos.scenario import ChaosCluster, Report, chaos_cluster
from e2e.chaos.template_api import template_api

SCENARIOS: dict[str, tuple[str, Callable[[ChaosCluster], Awaitable[Report]]]] = {
    "outage": ("the API server is unavailable for 3 minutes", lambda cluster: outage(cluster, seconds=180)),
    "template-api": ("a template API appears and disappears", template_api),
    "poison": ("one VM that cannot be published among 1,000 others", lambda cluster: poison(cluster, good=1_000)),
    "edits": (
        "a VM is edited 100 times per second for a minute",
        lambda cluster: edits(cluster, seconds=60, rate=100, writes_per_second=2),
    ),
    "relists": (
        "100 relists after 410 with 1,000 finished requests",
        lambda cluster: backlog(cluster, requests=1_000, relists=100, restarts=10),
    ),
    "backlog": ("10,000 requests for one VM", lambda cluster: backlog(cluster, requests=10_000, restarts=3)),
}
KILL = "kill"


async def _run(name: str) -> bool:
    """Run one scenario on a cluster of its own; print its report and return True if it found no problem."""
    description, scenario = SCENARIOS[name]
    print(f"{name}: {description}", file=sys.stderr, flush=True)
    try:
        async with chaos_cluster(forgetful=name == "relists") as cluster:
            report = await scenario(cluster)
    except TimeoutError as error:
        report = Report(wrong=[str(error) or "timed out"])
    for figure, value in report.figures.items():
        print(f"{name}: {figure}: {value:,}", flush=True)
    for problem in report.wrong:
        print(f"{name}: WRONG: {problem}", flush=True)
    return not report.wrong


async def _kill(mode: str, seconds: float, seed: int) -> bool:
    """Kill processes at random in one mode; print the problems and return True if there is none."""
    problems = await chaos(MODES[mode], seconds, seed)
    for problem in problems:
        print(f"{KILL} {mode}: WRONG: {problem}", flush=True)
    return not problems


def main() -> int:
    """Run the chosen scenarios in their order."""
    lines = [f"  {KILL:13} processes are killed at random", *(f"  {name:13} {it[0]}" for name, it in SCENARIOS.items())]
    parser = argparse.ArgumentParser(
        prog="just chaos",
        description="Inject faults into a cluster, and check that nothing is lost.",
        epilog="scenarios:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="*", default=[KILL, *SCENARIOS], help="which (all)")
    parser.add_argument("--seconds", type=float, default=120, help="of random kills per mode (120)")
    parser.add_argument("--seed", type=int, default=1, help="of random kills (1)")
    parser.add_argument("--mode", action="append", choices=MODES, help="of random kills (each)")
    args = parser.parse_args()
    if unknown := {*args.scenario} - {KILL, *SCENARIOS}:
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}")
    results = []
    for name in args.scenario:
        if name == KILL:
            results += [asyncio.run(_kill(mode, args.seconds, args.seed)) for mode in args.mode or MODES]
        else:
            results.append(asyncio.run(_run(name)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
