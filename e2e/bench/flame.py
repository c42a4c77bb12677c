"""`just profile`: where atmpl's CPU goes while it drains, by py-spy: a flame graph, and a table by what is done.

Needs py-spy (`pip install py-spy`), which looks into the process from outside; so atmpl runs as it always does.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from e2e.bench import contestants, ending
from e2e.bench.contestants import Follower
from e2e.bench.drain import drain
from e2e.bench.flame_graph import flame_graph
from e2e.bench.parts import Part, shares
from e2e.bench.profile_table import Profile, profile_report
from e2e.bench.stage import stage

RATE = 400  # samples a second

# What comes first, counts: what is done within a part stands before it. A frame is `function (file:line)`.
PARTS: tuple[Part, ...] = (
    ("import", ("importlib",)),
    ("log", ("(logging/", "manager/logs")),
    ("metrics", ("prometheus_client",)),
    ("prove", ("prove (",)),
    ("render", ("render (atmpl/template",)),
    ("status", ("next_status (",)),
    ("digest of the VM", ("digest_of (", "digest (atmpl")),
    ("request read from its stream", ("put (atmpl/kube/requests",)),
    ("VM read from its stream", ("put (atmpl/kube/vms",)),
    ("watch lines, events", ("atmpl/kube/watch", "atmpl/kube/reading", "atmpl/kube/lines")),
    ("JSON of answers", ("json (atmpl/kube/answer", "status_of (")),
    ("HTTP: parse of answers", ("data_received (aiohttp",)),
    ("HTTP: request written", ("send (aiohttp/client_reqrep", "write_bytes (aiohttp", "_write (aiohttp")),
    ("HTTP: request built", ("__init__ (aiohttp/client_reqrep", "update_", "__init__ (yarl", "_url (atmpl")),
    ("HTTP: connection pool", ("aiohttp/connector",)),
    ("HTTP: the rest of aiohttp", ("aiohttp/",)),
    ("TLS", ("asyncio/sslproto",)),
    ("sockets", ("asyncio/selector_events", "selectors")),
    ("the rest of atmpl", ("atmpl/",)),
    ("event loop", ("asyncio/",)),
)

# The innermost frame: for work, for sockets, for answers to gather.
WAITING = ("_worker (concurrent/futures/thread", "EpollSelector.select (", "Gathering.select (")


def busy(folded: Iterable[str]) -> list[str]:
    """Return the stacks of what works. Where it cannot see it, py-spy takes a thread for busy that waits."""
    return [line for line in folded if not line.rpartition(";")[2].startswith(WAITING)]


def main() -> int:
    """Profile a drain; print the table, and write it, its figures and the flame graph."""
    parser = argparse.ArgumentParser(prog="just profile", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="requests drained (2000)")
    parser.add_argument("--vms", type=int, default=1000, metavar="N", help="virtual machines (1000)")
    parser.add_argument("--workers", type=int, default=64, metavar="N", help="atmpl's workers (64)")
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where flame graph, table and figures go (here)"
    )
    args = parser.parse_args()
    if not shutil.which("py-spy"):
        sys.exit("there is no py-spy: pip install py-spy")
    return ending.report(_profile(args), args.output, "profile", md=profile_report)


async def _profile(args: argparse.Namespace) -> Profile:
    """Drain, write the flame graph, and return the rest. Raises FailedError."""
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "folded"
        async with stage() as cluster:
            await cluster.post_vms(args.vms)
            atmpl = _Profiled(contestants.atmpl(cluster.server, args.workers), raw)
            found = await drain(cluster, atmpl, args.requests)
        folded = busy(raw.read_text().splitlines())
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "profile.svg").write_text(flame_graph(folded, f"{args.requests:,} requests drained by atmpl"))
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return Profile(when, args.requests, args.vms, args.workers, found.cpu, shares(folded, PARTS))


class _Profiled(Follower):
    """A controller with py-spy beside it, from its first moment on."""

    def __init__(self, profiled: Follower, raw: Path) -> None:
        super().__init__(profiled.name, profiled.program)
        self._raw = raw
        self._spy: subprocess.Popen[bytes]

    def begin(self) -> None:
        super().begin()
        options = [f"--rate={RATE}", "--format=raw", f"--output={self._raw}", f"--pid={self.pid}"]
        self._spy = subprocess.Popen(
            ["py-spy", "record", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def finish(self) -> None:
        super().finish()
        self._spy.wait(30)


if __name__ == "__main__":
    sys.exit(main())
