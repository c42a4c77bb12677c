"""Who is measured: each a program of its own, under the controller's role."""

import atexit
import sys
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec

from atmpl.kube.client import KEEP_ALIVE, READ_BUFFER
from e2e.bench.errors import FailedError
from e2e.bench.kubeconfig import access
from e2e.bench.objects import NAMESPACE
from e2e.bench.usage import Usage, usage
from e2e.bench.work import Call, Work
from e2e.controller import Controller, pod, service_account
from e2e.controlplane import Server
from e2e.program import Line, Program

BARE, ATMPL, PEER, RAW_PEER, KOPF = "bare loop", "atmpl", "controller-runtime", "controller-runtime, raw", "kopf"

PATIENCE = 120.0  # seconds for a start


class Contestant(ABC):
    """A program that serves requests. Its methods block. Raises FailedError where it fails or complains."""

    name: str

    def __init__(self, program: Program) -> None:
        self.program = program
        self.before = 0.0  # CPU seconds of a start that found nothing to do

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.program.process.pid

    @abstractmethod
    def begin(self) -> None:
        """Start the process, and have it work."""
        self.program.start()
        atexit.register(self.program.process.kill)  # of a run that fails nothing is left

    def used(self) -> Usage:
        """Return what it has used since it began: CPU for the work alone, without the start."""
        now = usage(self.pid)
        return now._replace(cpu=now.cpu - self.before)

    def finish(self) -> None:
        """End the process, and see that nothing went wrong in it."""
        status = self.program.stop()
        complaints = [*filter(_is_complaint, self.program.lines), *self.program.noise]
        if status or complaints:
            shown = "\n".join(map(str, complaints[:10]))
            raise FailedError(f"{self.name} ended with status {status} and {len(complaints)} complaints:\n{shown}")
        self.program.lines.clear()

    def await_word(self, word: str, timeout: float = PATIENCE) -> Line:
        """Wait for a line that says `word`. Raises FailedError."""
        try:
            return self.program.logged(lambda line: line.get("message") == word, timeout=timeout)
        except (TimeoutError, EOFError) as error:
            raise FailedError(f"{self.name}: {error}") from None


class Follower(Contestant):
    """A controller: it learns of requests by itself."""

    def __init__(self, name: str, program: Program) -> None:
        super().__init__(program)
        self.name = name

    def begin(self) -> None:
        """Start the process; it works on what it finds."""
        super().begin()

    def ready(self) -> None:
        """Start the process, and return when its first lists are in."""
        self.begin()
        self.await_word("ready")


class BareLoop(Contestant):
    """The loop that makes the same calls and does nothing else."""

    name = BARE

    def __init__(self, server: Server, connections: int) -> None:
        self._file = server.folder / "work"
        self._access = access(service_account(server))
        self._connections = connections
        super().__init__(Program([sys.executable, "-m", "e2e.bench.bare", self._file]))

    def prepare(self, requests: list[list[Call]], connections: int | None = None) -> None:
        """Hand it the calls."""
        server, authority, token = self._access
        used = connections or self._connections
        work = Work(server, authority, token, used, KEEP_ALIVE, READ_BUFFER, requests)
        self._file.write_bytes(msgspec.msgpack.encode(work))

    def begin(self) -> None:
        """Start the process, and the loop once everything is built."""
        super().begin()
        self.await_word("ready")
        self.before = usage(self.pid).cpu
        self.program.tell("go")

    def seconds(self, timeout: float = PATIENCE) -> list[float]:
        """Wait for the loop's end; return how long each request's calls took."""
        seconds: list[float] = self.await_word("done", timeout)["seconds"]
        return seconds


def atmpl(server: Server, workers: int) -> Follower:
    """Return atmpl, as in a pod."""
    return Follower(ATMPL, Controller(None, f"--workers={workers}", env=pod(server)))


def peer(server: Server, workers: int, program: Path, *, raw: bool = False) -> Follower:
    """Return the same controller in Go, its calls made as controller-runtime makes them, or raw, as atmpl does.

    `program` is what peer_build made.
    """
    options = [f"--config={service_account(server)}", f"--workers={workers}", f"--calls={'raw' if raw else 'usual'}"]
    return Follower(RAW_PEER if raw else PEER, Program([str(program), *options]))


def kopf(server: Server, workers: int) -> Follower:
    """Return the same controller made with kopf."""
    command = [sys.executable, "-m", "e2e.bench.kopf_peer", str(workers), NAMESPACE]
    return Follower(KOPF, Program(command, {"KUBECONFIG": str(service_account(server))}))


def _is_complaint(line: Line) -> bool:
    level = str(line.get("level") or line.get("severity") or "info").lower()
    return level not in {"debug", "info"}
