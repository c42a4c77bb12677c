"""`python -m e2e.demo`: run the steps, remove everything, exit 0. `--keep` waits for Ctrl-C first."""

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
from e2e.demo.steps import BEFORE_THE_CONTROLLER, LOOK_AROUND, WITH_THE_CONTROLLER, Step, with_prompt
from e2e.envtest import BuildError, ControlPlane, KubectlError, ProcessError
from e2e.envtest.crds import install_crds
from e2e.envtest.env_file import env_file

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent  # has this environment's `atmpl`
READY = re.compile(r"^\S+ info +ready\b", re.MULTILINE)  # a line of the controller's log
READY_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 10

GONE = "Everything is stopped and removed."
INTERRUPTED = 130  # a shell's status after Ctrl-C
PIPE_CLOSED = 141  # a shell's status if the reader of a pipe has exited


def main() -> int:
    """Run all steps; return 0 if every command succeeded."""
    parser = argparse.ArgumentParser(
        prog="python -m e2e.demo",
        description="Make a template from a VM on a real API server, step by step.",
    )
    parser.add_argument("--keep", action="store_true", help="keep the API server until Ctrl-C")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for commands that it starts with &
    try:
        _run_demo(keep=arguments.keep)
        print(GONE, flush=True)
    except KeyboardInterrupt:
        print(f"\n{GONE}")
        return INTERRUPTED
    except BrokenPipeError:  # `| head`
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # otherwise the interpreter fails when it flushes
        return PIPE_CLOSED
    except subprocess.CalledProcessError as error:
        print(f"\nThis command failed with exit status {error.returncode}.", file=sys.stderr)
        return 1
    except (BuildError, KubectlError, ProcessError, TimeoutError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _run_demo(*, keep: bool) -> None:
    start = time.monotonic()
    _print_step("A Kubernetes API server starts on this machine.", "python -m e2e.envtest up")
    with ControlPlane() as server:
        install_crds(server)
        kubectl = server.kubectl("version", "--output=json")
        print(f"Kubernetes {json.loads(kubectl)['serverVersion']['gitVersion']} at {server.url}")
        for step in BEFORE_THE_CONTROLLER:
            _run(step, server)
        _start_controller(server)
        try:
            for step in WITH_THE_CONTROLLER:
                _run(step, server)
        except subprocess.CalledProcessError:
            print(f"\nThe controller's log ends with:\n{server.processes.tail('controller')}", file=sys.stderr)
            raise
        print(f"\nThis took {time.monotonic() - start:.0f} s.", flush=True)
        if keep:
            _wait_for_interrupt(server)
        server.processes.signal("controller", signal.SIGTERM)
        if status := server.processes.wait("controller", STOP_TIMEOUT_SECONDS):
            raise ProcessError(f"controller: exited with status {status}:\n{server.processes.tail('controller')}")


def _start_controller(server: ControlPlane) -> None:
    """Start the controller as a process with its own role, and wait until it is ready."""
    command = ["atmpl", "controller", "--kubeconfig", str(service_account(server))]
    options = ["--bind", "127.0.0.1:0", "--log-format", "text"]
    shown = f"{shlex.join(command)} \\\n    {shlex.join(options)} &"
    _print_step("The controller starts, with the rights of its role only.", shown)
    server.processes.start("controller", [BIN / command[0], *command[1:], *options])
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while not READY.search(log := server.processes.log("controller").read_text()):
        server.processes.require("controller")
        if time.monotonic() > deadline:
            raise TimeoutError(f"controller: not ready after {READY_TIMEOUT_SECONDS} s:\n{log}")
        time.sleep(0.02)
    print(log, end="", flush=True)


def _run(step: Step, server: ControlPlane) -> None:
    _print_step(step.sentence, step.command)
    command = ["bash", "-o", "pipefail", "-c", step.command]
    result = subprocess.run(command, cwd=CHECKOUT, env=_env(server), stdout=subprocess.PIPE, text=True, check=False)
    print(result.stdout, end="", flush=True)  # by this process, which handles a closed pipe
    result.check_returncode()


def _env(server: ControlPlane) -> dict[str, str]:
    env = server.env()
    return env | {"PATH": f"{BIN}{os.pathsep}{env['PATH']}"}


def _wait_for_interrupt(server: ControlPlane) -> None:
    print("\nThe API server and the controller keep running. Use them from another terminal:\n")
    print(f"  cd {shlex.quote(str(CHECKOUT))}")
    print(f"  . {env_file(server)}")
    for command in LOOK_AROUND:
        print(f"  {command}")
    print(f"  tail -f {server.processes.log('controller')}")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    print("\nCtrl-C here stops and removes everything.", flush=True)
    stopped.wait()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print()


def _print_step(sentence: str, command: str) -> None:
    """Print the sentence and the command of a step, highlighted on a terminal."""
    bold, dim, plain = ("\033[1m", "\033[36m", "\033[0m") if _use_color() else ("", "", "")
    print(f"\n{bold}{sentence}{plain}\n{dim}{with_prompt(command)}{plain}", flush=True)


def _use_color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


if __name__ == "__main__":
    sys.exit(main())
