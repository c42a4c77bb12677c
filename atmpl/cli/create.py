"""`atmpl create`: ask a cluster for a template of one of its virtual machines, and wait for it."""

import argparse

from atmpl.cli import flags, options
from atmpl.cli.durations import seconds
from atmpl.cli.errors import UsageError

FORMS = ("name", "yaml", "json")

DESCRIPTION = """\
Ask a cluster for a template of one of its virtual machines, and wait for it.

Posts a VirtualMachineTemplateRequest, which atmpl's controller answers. What it
is doing stands on standard error; standard output gets the result. The request
has the template's name and stays in the cluster: see kubectl get vmtreq.

With --refresh OnChange the template is made anew whenever the virtual machine
changes, for as long as the request exists. With Once it is yours: nothing is
done to it any more, and nothing brings it back where you delete it, though the
request goes on saying that it was made.

Ctrl-C, like --timeout, ends the waiting alone: the request stays, and its
template is made all the same.
"""

EPILOG = """\
examples:
  # a template of the virtual machine web, named web-template
  atmpl create --vm web

  # of one in another namespace that you may read, under another name, so that
  # each new virtual machine gets disks of its own
  atmpl create --vm web --vm-namespace team-a --name small --data-volumes Unique

  # kept in step with the virtual machine
  atmpl create --vm web --name web-live --refresh OnChange

  # straight on to a new virtual machine
  atmpl create --vm web --name web-1 -o yaml | atmpl process - |
    kubectl create -f -

  # what would be asked, to be kept in a file
  atmpl create --vm web --dry-run=client -o yaml

exit status:
  0  the template is there (with --wait=false or --dry-run: it was asked for)
  1  it was refused, or the cluster cannot be asked; standard error says why
  2  wrong usage
  3  it was not there in time; the request stays
  130  Ctrl-C; once it is created, the request stays
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl create` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument(
        "--vm",
        type=options.vm,
        required=True,
        metavar="NAME",
        help="the virtual machine; it may come into being later",
    )
    parser.add_argument(
        "--vm-namespace",
        type=options.namespace,
        metavar="NAMESPACE",
        help="its namespace (default: the one that the template goes to)",
    )
    options.add_choices(parser)
    parser.add_argument(
        "--refresh",
        choices=("Once", "OnChange"),
        default="Once",
        help="Once makes the template and leaves it to you, OnChange makes it anew whenever the virtual machine "
        "changes; default: Once",
    )
    parser.add_argument(
        "--ttl", type=seconds, metavar="TIME", help="delete the request, not its template, so long after success: 1h"
    )
    parser.add_argument(
        "--wait",
        choices=("true", "false"),
        nargs="?",
        const="true",
        default="true",
        help="wait until the template is there; default: true",
    )
    parser.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="TIME", help="how long to wait: 90s, 5m, 1h30m; default: 60s"
    )
    parser.add_argument(
        "--dry-run",
        choices=("client", "server"),
        help="create nothing: client asks no cluster, server has the cluster check the request",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMS,
        help="print the template: its name as kubectl takes it, or all of it; with --wait=false or --dry-run the "
        "request; default: a sentence, and what to type next",
    )
    flags.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, wait, and print what came of it."""
    flags.check(args)
    if args.ttl is not None and args.refresh == "OnChange":
        raise UsageError("--ttl goes with --refresh Once: a request that keeps its template in step is never finished")
    if args.name is None:
        args.name = options.checked(f"{args.vm}-template", "--name")
    from atmpl.cli.creation import Creation  # noqa: PLC0415 - help and completion must not pay for a cluster's side

    return Creation(args).run()
