"""Long-running programs of one owner, in one temporary folder. They end, and it is removed, when the owner ends."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from e2e.envtest import supervisor


class ProcessError(Exception):
    """A process could not be started, or ended by itself; the message holds the end of its log."""


_SOCKET_PATH = 107  # bytes of a Unix socket's path, sun_path without its final zero


def _place() -> Path:
    """Return the folder for temporary folders: TMPDIR, or /tmp if the paths of our sockets would be too long."""
    usual = Path(tempfile.gettempdir())
    return (
        usual if len(os.fsencode(usual / "atmpl-controlplane-12345678" / "etcd.sock")) <= _SOCKET_PATH else Path("/tmp")
    )


class Processes:
    """A folder and the processes that live in it. Safe to use from several threads.

    Raises ProcessError where a program cannot be started or a name was never started.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="atmpl-controlplane-", dir=_place()))
        self._pids: dict[str, int] = {}  # of the last process of each name
        self._lock = threading.Lock()  # one question at a time; the answer is the next line
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", supervisor.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # so that Ctrl-C reaches only the owner
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        question, answers = self._supervisor.stdin, self._supervisor.stdout
        assert question is not None
        assert answers is not None
        with self._lock:
            try:
                question.write(json.dumps(request).encode() + b"\n")
                question.flush()
                line = answers.readline()
            except (OSError, ValueError) as error:  # ValueError: the pipe was closed by `close`
                raise ProcessError(f"the supervisor of {self.folder} is gone: {error}") from error
        if not line:
            raise ProcessError(f"the supervisor of {self.folder} is gone")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise ProcessError(reply["error"])
        return reply

    def start(self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
        """Start a program under a name and return its process id; its output is appended to `log(name)`."""
        variables = dict(os.environ if env is None else env)
        command = [str(argument) for argument in argv]
        self._pids[name] = self._ask(start=name, argv=command, env=variables, log=str(self.log(name)))["pid"]
        return self._pids[name]

    def pid(self, name: str) -> int:
        """Return the id of the last process of this name. Raises KeyError if it was never started."""
        return self._pids[name]

    def log(self, name: str) -> Path:
        """Return the file with the output of every process of this name so far."""
        return self.folder / f"{name}.log"

    def status(self, name: str) -> int | None:
        """Return the exit status, negative for a signal, or None while the process runs."""
        status: int | None = self._ask(status=name)["status"]
        return status

    def signal(self, name: str, number: int) -> None:
        """Send a signal; does nothing if the process has ended."""
        self._ask(signal=name, number=int(number))

    def wait(self, name: str, seconds: float) -> int:
        """Wait for the end of a process and return its status. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while (status := self.status(name)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} still runs after {seconds} s")
            time.sleep(0.01)
        return status

    def require(self, name: str) -> None:
        """Raise ProcessError with the end of the log if the process has ended."""
        if (status := self.status(name)) is not None:
            raise ProcessError(f"{name} ended with status {status}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a log."""
        path = self.log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def close(self) -> None:
        """Kill every process and remove the folder; a second call does nothing."""
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        with suppress(BrokenPipeError):  # it was killed
            self._supervisor.stdin.close()
        self._supervisor.wait()
        self._supervisor.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
