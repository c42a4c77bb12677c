"""A program as a child process whose output is log lines: one JSON object per line, with a `message`."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Line = dict[str, Any]


class Usage(NamedTuple):
    """The resources that a process has used, from its CPU clock and /proc/PID/status. Linux only."""

    cpu: float  # seconds, user and system, of all its threads
    resident: float  # MiB now
    peak: float  # MiB, the most since its start


class Program:
    """A process that can be started and stopped again and again.

    Its methods block. A thread reads its output, so that it is never suspended by a full pipe.
    """

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._env = os.environ | dict(env or {})
        self._news = threading.Condition()
        self._reader: threading.Thread
        self.process: subprocess.Popen[bytes]
        self.lines: list[Line] = []  # its log lines
        self.noise: list[str] = []  # its other output

    def start(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C does not reach it
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write_line(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def stop(self) -> int:
        """Send SIGTERM, as the kubelet does; return the exit status."""
        self.send(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for the end of the process; return its exit status. It is killed after 30 s."""
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._ended()

    def kill(self) -> int:
        """End the process at once."""
        self.process.kill()
        return self._ended()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        self.process.send_signal(number)

    def usage(self) -> Usage:
        """Return what the process has used so far."""
        pid = self.process.pid
        cpu = time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3); /proc/PID/stat counts steps of 10 ms
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        resident, peak = (int(status[name].removesuffix("kB")) / 1024 for name in ("VmRSS", "VmHWM"))
        return Usage(cpu, resident, peak)

    def logged(self, wanted: Callable[[Line], object], *, timeout: float = 30, after: int = 0) -> Line:
        """Return the first line that is wanted, from the one numbered `after` on, also one from before this call.

        Raises TimeoutError, and EOFError at the process's end.
        """
        deadline, seen = time.monotonic() + timeout, after
        with self._news:
            while True:
                over = not self._reader.is_alive()
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                if over:
                    raise EOFError(f"{self._command[0]} ended: {self._last_words()}")
                if not self._news.wait(min(0.5, deadline - time.monotonic())) and time.monotonic() > deadline:
                    raise TimeoutError(f"not logged in {timeout} s: {self._last_words()}")

    def _ended(self) -> int:
        status = self.process.wait()
        self._reader.join()
        assert self.process.stdin is not None
        self.process.stdin.close()
        return status

    def _last_words(self) -> str:
        return "\n".join([*map(str, self.lines[-5:]), *self.noise[-20:]])

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for raw in output:
                with self._news:
                    try:
                        self.lines.append(json.loads(raw))
                    except json.JSONDecodeError:
                        self.noise.append(raw.decode(errors="replace").rstrip())
                    self._news.notify_all()
