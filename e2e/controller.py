"""`atmpl controller` as a process of its own, acting under its own role: for tests, demo and bench."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from e2e.controlplane import Server

RBAC = Path(__file__).parents[1] / "config" / "rbac"
NAMESPACE = "atmpl-system"
ACCOUNT = "atmpl-controller"

Line = dict[str, Any]


def service_account(server: Server) -> Path:
    """Give the controller its role, as config/rbac has it, and return a kubeconfig of its ServiceAccount. Blocks."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    server.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=namespace)
    server.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", RBAC)
    return server.service_account(NAMESPACE, ACCOUNT)


class Controller:
    """A controller that runs; a context manager: entered once its first lists are in, stopped at the end.

    Its methods block. What it prints is read by a thread, so that it never waits for us.
    """

    def __init__(
        self, kubeconfig: Path, *options: str, python: tuple[str, ...] = (), env: dict[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, *python, "-m", "atmpl", "controller", f"--kubeconfig={kubeconfig}"]
        self._command += ["--bind=127.0.0.1:0", *options]
        self._env = os.environ | (env or {})
        self._news = threading.Condition()
        self._reader: threading.Thread
        self.process: subprocess.Popen[bytes]
        self.lines: list[Line] = []  # what it has logged, a JSON object a line
        self.noise: list[str] = []  # what else it has printed: nothing, if all is well
        self.url = ""  # of its probes

    def __enter__(self) -> Self:
        self.start()
        self.logged(lambda line: line["message"] == "ready", timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process; return when its probes can be asked."""
        self.process = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for whoever started us
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        listening = self.logged(lambda line: line["message"] == "listening")
        self.url = f"http://127.0.0.1:{listening['port']}"

    def stop(self) -> int:
        """Ask the process to end, as the kubelet does; return its exit status. It is killed after 30 s, as there."""
        self.send(signal.SIGTERM)
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
        """Send a signal, if there still is somebody to get it."""
        self.process.send_signal(number)

    def logged(self, wanted: Callable[[Line], object], *, timeout: float = 30) -> Line:
        """Return the first line that is wanted, also one from before. Raises TimeoutError, and EOFError at the end."""
        deadline, seen = time.monotonic() + timeout, 0
        with self._news:
            while True:
                over = not self._reader.is_alive()
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                if over:
                    raise EOFError(f"the controller ended: {self._last_words()}")
                if not self._news.wait(min(0.5, deadline - time.monotonic())) and time.monotonic() > deadline:
                    raise TimeoutError(f"not logged in {timeout} s: {self._last_words()}")

    def ask(self, path: str) -> tuple[int, str]:
        """Ask a probe; return status and text."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def _ended(self) -> int:
        status = self.process.wait()
        self._reader.join()
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
