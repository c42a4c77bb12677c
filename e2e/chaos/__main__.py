"""`just storm`: every trial in its long form, on one stage; the exit status is 1 where anything is wrong."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from e2e.storm.away import away
from e2e.storm.crowd import crowd
from e2e.storm.edits import edits
from e2e.storm.flood import flood
from e2e.storm.formats import formats
from e2e.storm.stage import Report, Stage, staged

TRIALS: dict[str, tuple[str, Callable[[Stage], Awaitable[Report]]]] = {
    "away": ("the API server is away for 3 minutes", lambda stage: away(stage, seconds=180)),
    "formats": ("a template's API comes and goes", formats),
    "flood": ("a poison VM among 1,000 good ones", lambda stage: flood(stage, good=1_000)),
    "edits": (
        "a VM is edited 100 times a second for a minute",
        lambda stage: edits(stage, seconds=60, rate=100, writes_per_second=2),
    ),
    "silence": (
        "100 storms of 410 over 1,000 finished requests",
        lambda stage: crowd(stage, requests=1_000, relists=100, restarts=10),
    ),
    "crowd": ("10,000 requests for one VM", lambda stage: crowd(stage, requests=10_000, restarts=3)),
}


async def _run(name: str) -> bool:
    """Run one trial on a stage of its own; print what it found and return whether all is well."""
    sentence, trial = TRIALS[name]
    print(f"{name}: {sentence}", file=sys.stderr, flush=True)
    try:
        async with staged(forgetful=name == "silence") as stage:
            report = await trial(stage)
    except TimeoutError as error:  # the other trials are worth while all the same
        report = Report(wrong=[str(error) or "something did not come in time"])
    for figure, value in report.figures.items():
        print(f"{name}: {figure}: {value:,}", flush=True)
    for problem in report.wrong:
        print(f"{name}: WRONG: {problem}", flush=True)
    return not report.wrong


def main() -> int:
    """Run the trials that are asked for, in this order."""
    told = "\n".join(f"  {name:8} {sentence}" for name, (sentence, _) in TRIALS.items())
    parser = argparse.ArgumentParser(
        prog="just storm",
        description="Do to a controller what clusters do, for long.",
        epilog=f"trials:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trial", nargs="*", default=[*TRIALS], help="which (all)")  # `choices` would refuse none
    args = parser.parse_args()
    if unknown := {*args.trial} - TRIALS.keys():
        parser.error(f"no such trial: {', '.join(sorted(unknown))}")
    wrong = [name for name in args.trial if not asyncio.run(_run(name))]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
