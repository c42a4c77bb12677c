"""`atmpl diff`: what has changed between a template and its virtual machine since it was made."""

import argparse
import sys
from typing import Any, NamedTuple

import atmpl
from atmpl.cli import drift, flags, manifests, options, terminal
from atmpl.cli.documents import Document, documents
from atmpl.cli.errors import CommandError, UsageError
from atmpl.template import FORMATS

DESCRIPTION = """\
Show what has changed between a template and its virtual machine since it was
made.

Compares the virtual machine that the template would give, with its defaults,
with the one that a template made of the virtual machine now would give. What
belongs to one machine only, such as its MAC addresses, is no difference. Lines
with - are the template's, lines with + the virtual machine's of today.

Reads both from a cluster, or from two files without one.
"""

EPILOG = """\
examples:
  # a template on the cluster, and the virtual machine that it was made of
  atmpl diff --template web-template

  # and another virtual machine
  atmpl diff --template web-template --vm web

  # without a cluster
  atmpl diff web-template.yaml vm.yaml

  # one of them from a cluster
  kubectl get virtualmachine web -o yaml | atmpl diff web-template.yaml -

exit status:
  0  there is no difference
  1  there is one
  2  something cannot be compared, or wrong usage; standard error says why
"""

DIFFERENT = 1
STYLES = {"--- ": terminal.BOLD, "+++ ": terminal.BOLD, "@@": "36", "-": "31", "+": "32", "": ""}  # as git has them
KINDS = {each.kind for each in FORMATS.values()}


class Pair(NamedTuple):
    """A template and a virtual machine, and how a person knows them."""

    template: dict[str, Any]
    vm: dict[str, Any]
    names: tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl diff` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="without a cluster: the template and the virtual machine; - is standard input",
    )
    parser.add_argument("--template", type=options.name, metavar="NAME", help="the template on the cluster")
    parser.add_argument(
        "--vm",
        type=options.vm,
        metavar="NAME",
        help="the virtual machine on the cluster (default: the one that the template says it was made of)",
    )
    parser.add_argument(
        "--vm-namespace", type=options.namespace, metavar="NAMESPACE", help="its namespace (default: the template's)"
    )
    parser.add_argument(
        "--format", choices=list(FORMATS), help="which kind of template it is (default: whichever has that name)"
    )
    flags.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Compare; print a unified diff."""
    flags.check(args)
    if args.files and (args.template or args.vm):
        raise UsageError("name two files, or a --template on the cluster")
    if not args.files and not args.template:
        raise UsageError("name a --template on the cluster, or two files: the template and the virtual machine")
    if args.files and len(args.files) != 2:
        files = f"two files, the template and the virtual machine, not {len(args.files)}"
        raise UsageError(f"name {files}; or a --template on the cluster")
    if args.files == [manifests.STDIN] * 2:
        raise UsageError("standard input cannot be both of them; name a file for one")
    template, vm, names = _from_files(args.files) if args.files else _from_cluster(args)
    try:
        before, after = drift.texts(vm, template)
    except atmpl.RenderError as error:
        raise CommandError(f"{names[1]}: {error}") from None
    except atmpl.ProcessError as error:
        raise CommandError(f"{names[0]}: {'; '.join(error.errors)}") from None
    except drift.NoMachineError as error:
        raise CommandError(f"{names[0]}: {error}") from None
    except RecursionError:
        raise CommandError(f"{names[0]}: it is nested too deep to be compared") from None
    found = [_painted(line) for line in drift.lines(before, after, names)]
    terminal.put("".join(f"{line}\n" for line in found).encode("utf-8", "surrogatepass"))
    return DIFFERENT if found else 0


def _painted(line: str) -> str:
    style = next(style for start, style in STYLES.items() if line.startswith(start))
    return terminal.paint(line, style, sys.stdout) if style else line


def _from_files(files: list[str]) -> Pair:
    """Return the pair of two files, in whichever order they were named."""
    read = [_only(path) for path in files]
    templates = [each for each in read if each.value.get("kind") in KINDS]
    machines = [each for each in read if each.value.get("kind") == "VirtualMachine"]
    if len(templates) != 1 or len(machines) != 1:
        held = ", and ".join(f"{each.where} is a {each.value.get('kind', 'nameless thing')!s:.60}" for each in read)
        raise CommandError(f"give one template and one virtual machine; {held}")
    return Pair(templates[0].value, machines[0].value, (templates[0].where, machines[0].where))


def _only(path: str) -> Document:
    found = documents(path)
    if len(found) != 1:
        raise CommandError(f"{manifests.shown(path)}: there are {len(found)} objects in it; give one")
    [each] = found
    if not isinstance(each, Document):
        raise CommandError(f"{each.where}: {each.why}")
    if not isinstance(each.value, dict):
        raise CommandError(f"{each.where}: there is no object in it")
    return each


def _from_cluster(args: argparse.Namespace) -> Pair:
    import asyncio  # noqa: PLC0415 - files need no cluster's side

    from atmpl.cli.comparands import read  # noqa: PLC0415

    return Pair(*asyncio.run(read(args)))
