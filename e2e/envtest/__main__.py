"""A control plane for the command line: `python -m e2e.envtest up`."""

import argparse
import signal
import sys
import threading

from e2e.envtest import programs
from e2e.envtest.build import BuildError, print_progress
from e2e.envtest.control_plane import ControlPlane
from e2e.envtest.crds import install_crds
from e2e.envtest.env_file import env_file
from e2e.envtest.processes import ProcessError

UP = """\
The API server is up at {url}. Type in another terminal:

  . {env}

Then `kubectl` and `atmpl` there speak to it, and its logs are beside that file.
Ctrl-C here stops and removes all of it.
"""  # whole lines of their own: they are there to be copied


def main() -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m e2e.envtest", description="A Kubernetes API server to try things on."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start one, print its kubeconfig, and stay until Ctrl-C")
    up.add_argument("--bare", action="store_true", help="define none of the custom resources")
    up.add_argument("--fsync", action="store_true", help="write to disk as a real cluster does")
    up.add_argument(
        "--flag",
        action="append",
        default=[],
        metavar="FLAG",
        help="one more flag of kube-apiserver's, e.g. --flag=--v=4",
    )
    up.set_defaults(run=_up)
    paths = commands.add_parser("programs", help="print where the programs are, building what is missing")
    paths.set_defaults(run=_programs)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (BuildError, ProcessError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        return 130
    return 0


def _programs(_: argparse.Namespace) -> None:
    for name, path in programs.find().items():
        print(f"{name}\t{path}")


def _up(arguments: argparse.Namespace) -> None:
    """Print the kubeconfig on standard output unless it is a terminal, and instructions on standard error."""
    over = threading.Event()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for programs in the background
    with ControlPlane(fsync=arguments.fsync, apiserver_flags=arguments.flag) as server:
        if not arguments.bare:
            install_crds(server)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        if not sys.stdout.isatty():
            print(server.kubeconfig.read_text(), flush=True)
        print(UP.format(url=server.url, env=env_file(server)), file=sys.stderr, flush=True)
        over.wait()
    print_progress("gone")


if __name__ == "__main__":
    sys.exit(main())
