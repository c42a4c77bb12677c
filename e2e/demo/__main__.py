"""`python -m e2e.demo`: exits 0 by itself and leaves nothing; `--keep` stays until Ctrl-C."""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from e2e.controller import service_account
from e2e.controlplane import BuildError, ControlPlane, KubectlError, ProcessError
from e2e.controlplane.crds import install_crds
from e2e.controlplane.env_file import env_file
from e2e.demo.story import BEFORE_THE_CONTROLLER, LOOK_AROUND, WITH_THE_CONTROLLER, Step, typed

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent  # where this environment's `atmpl` is
READY = re.compile(r"^\S+ info +ready\b", re.MULTILINE)  # a line of the controller's log

GONE = "Everything is stopped and removed."
INTERRUPTED = 130  # what a shell reports after Ctrl-C
CUT_OFF = 141  # what a shell reports where the reader of a pipe left early


def main() -> int:
    """Show it all; return 0 if every command did what it should."""
    parser = argparse.ArgumentParser(
        prog="python -m e2e.demo",
        description="A virtual machine becomes a template on a real API server, step by step.",
    )
    parser.add_argument("--keep", action="store_true", help="leave it up until Ctrl-C")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts with & ignore it
    try:
        _show(keep=arguments.keep)
        print(GONE, flush=True)
    except KeyboardInterrupt:
        print(f"\n{GONE}")
        return INTERRUPTED
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains as it flushes
        return CUT_OFF
    except subprocess.CalledProcessError as error:
        print(f"\nThis command failed with exit status {error.returncode}; it should not have.", file=sys.stderr)
        return 1
    except (BuildError, KubectlError, ProcessError, TimeoutError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _show(*, keep: bool) -> None:
    start = time.monotonic()
    _say("A Kubernetes API server of our own, on this machine.", "python -m e2e.controlplane up")
    with ControlPlane() as server:
        install_crds(server)
        kubectl = server.kubectl("version", "--output=json")
        print(f"Kubernetes {json.loads(kubectl)['serverVersion']['gitVersion']} at {server.url}")
        for step in BEFORE_THE_CONTROLLER:
            _do(step, server)
        _start_controller(server)
        try:
            for step in WITH_THE_CONTROLLER:
                _do(step, server)
        except subprocess.CalledProcessError:
            print(f"\nThe controller's log ends with:\n{server.processes.tail('controller')}", file=sys.stderr)
            raise
        print(f"\nAll of it took {time.monotonic() - start:.0f} s.", flush=True)
        if keep:
            _keep(server)
        server.processes.signal("controller", signal.SIGTERM)
        if status := server.processes.wait("controller", 10):
            raise ProcessError(f"the controller ended with status {status}:\n{server.processes.tail('controller')}")


def _start_controller(server: ControlPlane) -> None:
    """Start it as a process of its own, under its own role, and wait until it has seen what there is."""
    where = ["atmpl", "controller", "--kubeconfig", str(service_account(server))]
    how = ["--bind", "127.0.0.1:0", "--log-format", "text"]
    shown = f"{shlex.join(where)} \\\n    {shlex.join(how)} &"
    _say("The controller starts, with the rights of its role and no others.", shown)
    server.processes.start("controller", [BIN / where[0], *where[1:], *how])
    deadline = time.monotonic() + 60
    while not READY.search(log := server.processes.log("controller").read_text()):
        server.processes.require("controller")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the controller is not ready after 60 s:\n{log}")
        time.sleep(0.02)
    print(log, end="", flush=True)


def _do(step: Step, server: ControlPlane) -> None:
    _say(step.says, step.command)
    command = ["bash", "-o", "pipefail", "-c", step.command]
    done = subprocess.run(command, cwd=CHECKOUT, env=_env(server), stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)  # not by the command: it would complain of a reader that has left
    done.check_returncode()


def _env(server: ControlPlane) -> dict[str, str]:
    env = server.env()
    return env | {"PATH": f"{BIN}{os.pathsep}{env['PATH']}"}


def _keep(server: ControlPlane) -> None:
    print("\nIt stays up. To look around, in another terminal:\n")
    print(f"  cd {shlex.quote(str(CHECKOUT))}")
    print(f"  . {env_file(server)}")
    for command in LOOK_AROUND:
        print(f"  {command}")
    print(f"  tail -f {server.processes.log('controller')}")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    print("\nCtrl-C here stops and removes everything.", flush=True)
    over.wait()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print()


def _say(what: str, command: str) -> None:
    """Head a step with its sentence and its command; a person's eye finds the next one by its weight."""
    bold, dim, plain = ("\033[1m", "\033[36m", "\033[0m") if _is_for_eyes() else ("", "", "")
    print(f"\n{bold}{what}{plain}\n{dim}{typed(command)}{plain}", flush=True)


def _is_for_eyes() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


if __name__ == "__main__":
    sys.exit(main())
