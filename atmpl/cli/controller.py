"""`atmpl controller`: serve the template requests of a cluster."""

import argparse

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError
from atmpl.cli.options import add_kubeconfig_options, namespace

DESCRIPTION = """\
Serve the template requests of a cluster until SIGTERM or Ctrl-C: for each one,
make a template of the virtual machine that it names.

The cluster needs atmpl's definitions, roles and, unless --policy Optional,
admission policy. In a pod the command needs no option; elsewhere it uses a
kubeconfig as kubectl does. The proxy for the API server is the kubeconfig's
proxy-url, otherwise HTTPS_PROXY, unless NO_PROXY excludes the server; also in a
pod. Logs go to standard error, metrics to /metrics. SIGUSR1 switches the log
level debug on and off; SIGUSR2 writes the stack of each thread. Runs on Linux
and macOS.
"""

EPILOG = """\
examples:
  # for a cluster on your own computer
  atmpl controller --context kind-kind --bind 127.0.0.1:8080 --log-format text

  # two namespaces, with Roles instead of a ClusterRole
  atmpl controller --namespace team-a --namespace team-b

  # several replicas: one is the leader, the others wait
  atmpl controller --leader-elect

exit status:
  0  stopped by SIGTERM or Ctrl-C
  1  it could not start, or lost what it requires; the log has the cause
  2  wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl controller` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    add_kubeconfig_options(parser)
    parser.add_argument(
        "--workers", type=_workers, default=64, metavar="N", help="requests reconciled at once, 1 to 1024 (default: 64)"
    )
    parser.add_argument(
        "-n",
        "--namespace",
        type=namespace,
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="serve only this namespace, and sources in it; repeatable (default: all)",
    )
    parser.add_argument(
        "--bind",
        type=_address,
        default=("", 8080),  # the kubelet and Prometheus connect from outside the pod
        metavar="HOST:PORT",
        help="address of /healthz, /readyz and /metrics; port 0 takes a free port and logs it (default: :8080, on all "
        "IPv4 and IPv6 addresses)",
    )
    parser.add_argument(
        "--leader-elect", action="store_true", help="for several replicas: only the one that holds a Lease reconciles"
    )
    parser.add_argument(
        "--leader-elect-namespace",
        metavar="NAMESPACE",
        help="existing namespace of the Lease atmpl-controller (default: the pod's namespace, else atmpl-system)",
    )
    parser.add_argument(
        "--policy",
        choices=("Required", "Optional"),
        default="Required",
        help="Required: read no VM unless atmpl's ValidatingAdmissionPolicy is in force; Optional, for development: "
        "without it, also serve each request for a VM of its own namespace, without a check of its author's rights "
        "(default: Required)",
    )
    parser.add_argument(
        "--authenticate-metrics",
        action="store_true",
        help="require for /metrics a bearer token of a user who may get the non-resource URL /metrics",
    )
    parser.add_argument(
        "--log-format", choices=("json", "text"), default="json", help="format of log lines (default: json)"
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="lowest level to log (default: info)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM; return the exit status."""
    if terminal.WINDOWS:
        raise CommandError("atmpl controller runs on Linux and macOS; the other commands run on Windows too")
    from atmpl.manager.run import Settings, serve

    settings = Settings(
        kubeconfig=args.kubeconfig,
        context=args.context,
        namespaces=tuple(args.namespace),
        workers=args.workers,
        bind=args.bind,
        policy_required=args.policy == "Required",
        authenticate_metrics=args.authenticate_metrics,
        log_format=args.log_format,
        log_level=args.log_level,
        leader_elect=args.leader_elect,
        lease_namespace=args.leader_elect_namespace,
    )
    return serve(settings)


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1024")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)
