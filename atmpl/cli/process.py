"""`atmpl process`: a template in, its objects out, as a cluster's own processor makes them; no cluster is asked."""

import argparse
import sys
from collections.abc import Iterable
from typing import Any

import atmpl
from atmpl.cli import manifests, terminal, values
from atmpl.cli.documents import Unreadable, documents
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.output import Output, add_output
from atmpl.cli.table import table
from atmpl.template import FORMATS
from atmpl.template.parameters import Parameter, parameters

DESCRIPTION = """\
Turn a template into its objects, exactly as the cluster's own processor would.
Needs no cluster.

Takes OpenShift's templates and KubeVirt's own. Each parameter has the value
given with -p, else the one in the --params-file, else the template's default,
else a generated one.
"""

EPILOG = """\
examples:
  # which parameters there are, and what stands in them
  atmpl process web-template.yaml --print-params

  # a new virtual machine, with more memory
  atmpl process web-template.yaml -p REQUESTS_MEMORY=4Gi | kubectl create -f -

  # the same, of a template on a cluster
  kubectl get template web-template -o yaml |
    atmpl process - -p REQUESTS_MEMORY=4Gi | kubectl create -f -

  # many values, one NAME=VALUE a line
  atmpl process web-template.yaml --params-file small.env

exit status:
  0  the objects are on standard output
  1  the template cannot be processed; standard error names every reason
  2  wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl process` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("file", metavar="FILE", help="the template; - is standard input")
    param = parser.add_argument(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=values.assignment,
        help="the value of a parameter; may be given many times, and of one parameter the last one counts",
    )
    param.completer = _complete  # type: ignore[attr-defined] # argcomplete's way
    parser.add_argument(
        "--params-file",
        metavar="FILE",
        help="a NAME=VALUE a line, taken literally: no quoting, no export; empty lines and lines that begin with # are "
        "left out; - is standard input",
    )
    parser.add_argument(
        "--print-params", action="store_true", help="print the parameters instead: as a table, or with -o as they stand"
    )
    add_output(parser, default=None, otherwise="default: yaml, for parameters a table")


def run(args: argparse.Namespace) -> int:
    """Print the objects of the template, or its parameters."""
    if args.file == args.params_file == manifests.STDIN:
        raise UsageError(
            "standard input cannot be both the template and the --params-file; name a file for one of them"
        )
    where, template = _template(args.file)
    from_file = values.from_file(args.params_file) if args.params_file is not None else {}
    typed = dict(args.param)
    given = {name: assigned.value for name, assigned in from_file.items()} | typed
    try:
        declared = parameters(template)
        unfit = [f"{from_file[name].where}: {why}" for name, why in values.unknown(from_file, declared)]
        unfit += (f"{where}: {why}" for _, why in values.unknown(typed, declared))
        if not args.print_params:
            unfit += (f"{where}: {why}" for why in values.missing(given, declared))
        if unfit:
            return _refused(unfit, "--print-params shows the template's parameters.")
        if args.print_params:
            _print(declared, given, args.output)
        else:
            output = Output(args.output or "yaml")
            for each in atmpl.process(template, given):
                output.write(each)
            for why in values.unfit_labels(given, template):
                terminal.warning(f"{where}: {why}")
    except atmpl.ProcessError as error:
        return _refused(f"{where}: {why}" for why in error.errors)
    return 0


def _template(path: str) -> tuple[str, dict[str, Any]]:
    """Return the one template in the file `path`, and its place in words."""
    found = documents(path)
    for each in found:
        if isinstance(each, Unreadable):
            raise CommandError(f"{each.where}: {each.why}")
    if len(found) > 1:
        raise CommandError(f"{manifests.shown(path)}: there are {len(found)} objects in it; give one template")
    where, template = found[0]
    kinds = [each.kind for each in FORMATS.values()]
    kind = template.get("kind") if isinstance(template, dict) else None
    if not isinstance(template, dict) or kind not in kinds:
        hint = "; atmpl render makes one of a VirtualMachine" if kind == "VirtualMachine" else ""
        raise CommandError(f"{where}: give a {' or a '.join(kinds)}, not {_said(template)}{hint}")
    return where, template


def _said(value: Any) -> str:
    if not isinstance(value, dict):
        return "something that is no object"
    kind = value.get("kind")
    return f"a {kind:.60}" if isinstance(kind, str) and kind else "an object without a kind"


def _print(declared: list[Parameter], given: dict[str, str], form: str | None) -> None:
    if form is None:
        text = table(declared, given, terminal.width(sys.stdout) if sys.stdout.isatty() else None)
        terminal.put(text.encode("utf-8", "replace"))
    else:
        Output(form).write([_fields(parameter, given) for parameter in declared])


def _fields(parameter: Parameter, given: dict[str, str]) -> dict[str, str | bool]:
    """Return the parameter as a template has it, without what is empty."""
    fields: dict[str, str | bool] = {
        "name": parameter.name,
        "displayName": parameter.display_name,
        "description": parameter.description,
        "value": given.get(parameter.name, parameter.value),
        "generate": parameter.generate,
        "from": parameter.from_,
        "required": parameter.required,
    }
    return {name: value for name, value in fields.items() if value}


def _refused(sentences: Iterable[str], advice: str = "") -> int:
    for sentence in sentences:
        terminal.error(sentence)
    if advice:
        terminal.note(advice)
    return 1


def _complete(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> dict[str, str]:
    """Return what may follow `-p`, with its meaning: `NAME=` of each parameter; its value, where the name is typed."""
    if parsed_args.file in (None, manifests.STDIN):
        return {}
    try:
        declared = parameters(_template(parsed_args.file)[1])
    except (CommandError, atmpl.ProcessError):
        return {}
    typed = "=" in prefix
    return {
        f"{each.name}={each.value if typed else ''}": each.display_name
        for each in declared
        if not typed or each.value.isprintable()
    }
