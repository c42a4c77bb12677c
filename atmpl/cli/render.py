"""`atmpl render`: virtual machines in, templates out; no cluster is asked."""

import argparse
import sys
from typing import Any

import atmpl
from atmpl.cli import manifests, terminal
from atmpl.cli.documents import Document, Unreadable, documents
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.options import add_choices, in_options
from atmpl.cli.output import Output, add_output
from atmpl.template import FORMATS

ALREADY = "this is a template already; `atmpl process` makes virtual machines of it"

DESCRIPTION = """\
Turn KubeVirt virtual machines into templates. Needs no cluster.

Every value below spec.template.spec becomes a parameter of the template, with
the virtual machine's own value as its default; names stay as they are. The
template is proved before it is printed: processed with its defaults, it gives
the virtual machine that it was made from.

A file holds one or many documents, in YAML or JSON, or a List as kubectl prints
it. Many virtual machines give many templates. Warnings go to standard error.
Whatever cannot be rendered is named there with its path; the rest is rendered
all the same.
"""

EPILOG = """\
examples:
  # the template of a virtual machine in a file
  atmpl render vm.yaml

  # of one that runs on a cluster, straight back to the cluster
  kubectl get virtualmachine web -o yaml | atmpl render - | kubectl apply -f -

  # of all in a namespace, one JSON document a line
  kubectl get virtualmachines -o yaml | atmpl render - -o json

  # without the passwords that its cloud-init data may hold, and so that each
  # new virtual machine gets disks of its own
  atmpl render vm.yaml --secrets Require --data-volumes Unique

exit status:
  0  every virtual machine was rendered
  1  something was not; standard error says what, and why
  2  wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl render` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("files", metavar="FILE", nargs="*", help="what to render; - is standard input")
    add_choices(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Render all that was named; 1 where something could not be."""
    if not args.files and sys.stdin.isatty():
        raise UsageError("name a file with a virtual machine, or - for standard input")
    files = args.files or [manifests.STDIN]
    rendering = _Rendering(args)
    for done, path in enumerate(files):
        if len(files) > 1:
            terminal.progress(f"{done} of {len(files)} files, {path}")
        try:
            for each in documents(path):
                rendering.take(each)
        except CommandError as error:
            rendering.refuse(str(error))
    terminal.settle()
    if len(files) > 1:
        terminal.note(f"{rendering.rendered} rendered, {rendering.refused} refused")
    return 1 if rendering.refused else 0


def _is_template(value: Any) -> bool:
    kinds = {(format.api_version, format.kind) for format in FORMATS.values()}
    return isinstance(value, dict) and (value.get("apiVersion"), value.get("kind")) in kinds


class _Rendering:
    """One run: what was asked, and what has been said so far."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.rendered = 0  # virtual machines
        self.refused = 0  # those, and files and documents that hold none
        self._options: dict[str, Any] = {
            "format": args.format,
            "name": args.name,
            "identity": args.identity,
            "data_volumes": args.data_volumes,
            "secrets": args.secrets,
        }
        self._output = Output(args.output)
        self._named: str | None = None  # what the template of `--name` was made of
        self._explained: set[str] = set()  # reasons of warnings whose meaning was told

    def take(self, each: Document | Unreadable) -> None:
        """Render one document, or say why not."""
        if isinstance(each, Unreadable):
            self.refuse(f"{each.where}: {each.why}")
            return
        name = self._options["name"]
        if name is not None and self._named is not None:
            self.refuse(f"{each.where}: the template {name} was made of {self._named}; without --name each has its own")
            return
        try:
            rendered = atmpl.render(each.value, **self._options)
        except atmpl.RenderError as error:
            self.refuse(f"{each.where}: {ALREADY if _is_template(each.value) else error}")
            return
        self.rendered += 1
        self._named = each.where
        self._output.write(rendered.template)
        for warning in rendered.warnings:
            self._warn(each.where, warning)

    def refuse(self, sentence: str) -> None:
        """Say what could not be rendered."""
        self.refused += 1
        terminal.error(sentence)

    def _warn(self, where: str, warning: atmpl.RenderWarning) -> None:
        """Say a warning, with its meaning where that was not told before."""
        sentence = f"{where}: {warning.path}: {warning.reason}"
        if warning.reason not in self._explained:
            self._explained.add(warning.reason)
            sentence += f": {in_options(warning.message)}"
        terminal.warning(sentence)
