"""The parent of all processes of a control plane: it ends them when its owner ends, also by SIGKILL.

Run as a program of its own (`python -I supervisor.py FOLDER`), in its own session, with the standard library alone.
It reads one JSON request per line and answers each with one line. When its standard input ends, it kills its children,
removes FOLDER and exits. On Linux, its children also die with it.

    {"start": NAME, "argv": [...], "env": {...}, "log": FILE}  ->  {"pid": 1}
    {"signal": NAME, "number": 9}                              ->  {}
    {"status": NAME}                                           ->  {"status": -9}, or null while it runs
    anything that fails                                        ->  {"error": "..."}
"""

import ctypes
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _dies_with_parent() -> Callable[[], None] | None:
    """Return the function that a child runs before exec. It is safe because this process has one thread."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def request_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return request_signal


class Supervisor:
    """The processes by name, and the requests about them."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}  # the last process of each name, dead ones included
        self._before = _dies_with_parent()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Process one request, as the module describes. Raises KeyError for an unknown name, OSError."""
        match request:
            case {"start": str(name), "argv": argv, "env": env, "log": log}:
                return {"pid": self._start(name, argv, env, log)}
            case {"signal": str(name), "number": int(number)}:
                self._children[name].send_signal(number)
                return {}
            case {"status": str(name)}:
                return {"status": self._children[name].poll()}
        raise KeyError(f"no such request: {sorted(request)}")

    def _start(self, name: str, argv: list[str], env: dict[str, str], log: str) -> int:
        old = self._children.get(name)
        if old is not None and old.poll() is None:
            raise FileExistsError(f"{name} is already running")
        with Path(log).open("ab") as out:
            self._children[name] = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=self._before,  # noqa: PLW1509 -- this process has one thread only
            )
        return self._children[name].pid

    def kill(self) -> None:
        """Kill every child and wait for its end."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait()


def _remove(folder: Path) -> None:
    """Remove the folder; a file that a dying process still adds makes the first attempt fail."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def main() -> None:
    """Process requests until the owner ends, then clean up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the owner handles it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    supervisor = Supervisor()
    try:
        for line in sys.stdin:
            try:
                reply = supervisor.answer(json.loads(line))
            except (OSError, KeyError) as error:
                reply = {"error": f"{error}"}
            print(json.dumps(reply), flush=True)
    except BrokenPipeError:
        pass  # the owner died before it could hear the answer
    finally:
        supervisor.kill()
        _remove(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
