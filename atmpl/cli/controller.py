"""`atmpl controller`: serve the template requests of a cluster."""

import argparse

DESCRIPTION = """\
Serve the template requests of a cluster until SIGTERM or Ctrl-C: each becomes a
template of the virtual machine that it names.

In a pod it needs no option; elsewhere it uses a kubeconfig as kubectl does. The
proxy before a server is the kubeconfig's proxy-url, else what HTTPS_PROXY and
NO_PROXY say, in a pod too. What it does stands in its log, on standard error;
figures are at /metrics. SIGUSR1 has it log at level debug, and once more as
before; SIGUSR2 has it write where each of its threads stands.
"""

EPILOG = """\
examples:
  # beside a cluster of one's own
  atmpl controller --context kind-kind --bind 127.0.0.1:8080 --log-format text

  # several replicas, of which one works; the others are ready to take over
  atmpl controller --leader-elect

exit status:
  0  it was asked to end, and has
  1  it could not start, or has lost what it cannot do without; the log says why
  2  wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig to use (default: KUBECONFIG, ~/.kube/config)")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")
    parser.add_argument("--workers", type=_workers, default=64, metavar="N", help="requests in work at once (64)")
    parser.add_argument(
        "--bind",
        type=_address,
        default=("", 8080),  # the kubelet and Prometheus connect from outside the pod
        metavar="HOST:PORT",
        help="address of /healthz, /readyz and /metrics (:8080, on all IPv4 and IPv6 addresses); port 0 takes a free "
        "port and logs it",
    )
    parser.add_argument(
        "--leader-elect", action="store_true", help="work only while holding a lease; several replicas then take turns"
    )
    parser.add_argument(
        "--leader-elect-namespace",
        metavar="NAMESPACE",
        help="where the lease atmpl-controller is (default: the pod's namespace, else atmpl-system)",
    )
    parser.add_argument("--log-format", choices=("json", "text"), default="json", help="how log lines look (json)")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="what is logged (info)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM; the exit status is 0 then."""
    from atmpl.manager.run import Settings, serve  # noqa: PLC0415 - help and completion must not pay for it

    settings = Settings(
        kubeconfig=args.kubeconfig,
        context=args.context,
        workers=args.workers,
        bind=args.bind,
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
