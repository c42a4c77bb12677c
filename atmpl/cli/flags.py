"""kubectl's own options, for the commands that speak to a cluster, and kubectl's commands as a person types them."""

import argparse
import shlex

from atmpl.cli import options
from atmpl.cli.errors import UsageError


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which cluster, which namespace and as whom. They mean what they mean to kubectl."""
    group = parser.add_argument_group("options that are kubectl's")
    group.add_argument(
        "-n", "--namespace", type=options.namespace, help="namespace to work in (default: the context's)"
    )
    group.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")
    group.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig to use (default: KUBECONFIG, ~/.kube/config)")
    group.add_argument("--as", metavar="USER", dest="user", help="act as this user, where you may")
    group.add_argument(
        "--as-group", metavar="GROUP", dest="groups", action="append", default=[], help="and as one of this group"
    )


def check(args: argparse.Namespace) -> None:
    """Raise UsageError where the options do not go together."""
    if args.groups and args.user is None:
        raise UsageError("--as-group needs --as: a group is acted for by somebody")


def kubectl(args: argparse.Namespace, line: str) -> str:
    """Return `kubectl LINE` for the cluster and the namespace that were typed, ready to be pasted.

    A `kubectl` behind a pipe in `line` gets the same options. What begins with `kubectl` is returned as it is.
    """
    if line.startswith("kubectl "):
        return line
    said = [
        *([] if args.kubeconfig is None else ["--kubeconfig", args.kubeconfig]),
        *([] if args.context is None else ["--context", args.context]),
        *([] if args.user is None else ["--as", args.user]),
        *(word for group in args.groups for word in ("--as-group", group)),
        *([] if args.namespace is None else ["-n", args.namespace]),
    ]
    start = shlex.join(["kubectl", *said])
    return f"{start} {line}".replace("| kubectl ", f"| {start} ")


def folded(command: str, columns: int = 76) -> str:
    """Return `command`, continued on another line before a pipe where it is long; it may be pasted as it is."""
    if len(command) <= columns:
        return command
    before, pipe, after = command.partition(" | ")
    return f"{before} \\\n        | {after}" if pipe else command
