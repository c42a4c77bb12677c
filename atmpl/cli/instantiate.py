"""`atmpl instantiate`: create a virtual machine from a template in the cluster."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import atmpl
from atmpl.cli import options, terminal
from atmpl.cli.create import without_managed_fields
from atmpl.cli.diff import NO_KUBEVIRT, read_template
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.output import Output
from atmpl.cli.process import (
    Template,
    add_value_options,
    check_value_options,
    complete_parameters,
    generate_values,
    match_values,
    missing,
    name_parameters,
    name_values,
    only_vm,
    open_template,
    print_parameters,
    process,
    read_values,
    refused_values,
    report_errors,
    report_generated,
    report_message,
    report_warnings,
)
from atmpl.template import FORMATS
from atmpl.template.parameters import Parameter

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from atmpl.cli.client import ClusterClient

FORMS = ("name", "yaml", "json")
NAMED = "virtualmachine.kubevirt.io"  # as kubectl prints it

DESCRIPTION = """\
Create a virtual machine from a template in the cluster.

Reads the template, processes it as `atmpl process` does, creates the virtual
machine and prints its name. The value of a parameter is the one of -p, else of
the last --params-file that has it, else the template's default, else a
generated one. Generated values, such as passwords, and the template's own
message for its users are printed on standard error. A password or key that
cloud-init would not take as given is an error. So is a complete text that is not
valid YAML, and a template with other objects: use atmpl process and kubectl
create.

Requires the rights to get the template in its namespace, and to create virtual
machines in the namespace of -n.
"""

EPILOG = """\
examples:
  # the parameters of the template web-template
  atmpl instantiate --template web-template --print-params

  # a virtual machine, with a generated name
  atmpl instantiate --template web-template

  # with another name and more memory
  atmpl instantiate --template web-template --vm-name web-3 -p MEMORY_GUEST=8Gi

  # from a golden template in another namespace, with your own SSH key
  atmpl instantiate -n team-a --template golden --template-namespace shared \\
    -p VOLUME1_USER_DATA_SSH_AUTHORIZED_KEY0=@~/.ssh/id_ed25519.pub

  # let the cluster check the virtual machine, and print it
  atmpl instantiate --template web-template --dry-run

exit status:
  0  the virtual machine was created (with --dry-run: the cluster accepts it)
  1  it was not; standard error has the cause
  2  wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl instantiate` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    template = parser.add_argument(
        "--template", type=options.name, required=True, metavar="NAME", help="the template in the cluster"
    )
    template.completer = options.complete_templates  # type: ignore[attr-defined] # argcomplete's attribute
    options.add_template_namespace(parser, default="that of the virtual machine, -n")
    parser.add_argument(
        "--format", choices=list(FORMATS), help="format of the template, if both formats have one of that name"
    )
    add_value_options(parser, completer=_complete)
    parser.add_argument(
        "--print-params",
        action="store_true",
        help="print the template's parameters instead, as a table, or with -o yaml or json; create nothing",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="create nothing: let the cluster check the virtual machine, and print it"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMS,
        help="print the virtual machine, or its name alone (default: one line, with --dry-run yaml)",
    )
    options.add_cluster_options(parser)


def run(args: argparse.Namespace) -> int:
    """Create the virtual machine."""
    import asyncio

    from atmpl.cli.client import open_cluster

    options.check_cluster_options(args)
    check_value_options(args, None)
    if args.print_params and args.output == "name":
        raise UsageError(
            "-o name cannot be used with --print-params; use -o yaml or -o json, or leave -o out for a table"
        )
    values = read_values(args)
    return asyncio.run(_run(open_cluster(args), args, values))


async def _run(
    cluster: "AbstractAsyncContextManager[ClusterClient]", args: argparse.Namespace, values: dict[str, Any]
) -> int:
    async with cluster as client:
        source = options.in_template_namespace(client, args)
        content = await read_template(source, args.template, args.format, options.template_namespace_option(args))
        template = open_template(f"{content['kind'].lower()}/{args.template} in {source.namespace}", content)
        chosen, problems = match_values(values, template, ignore_unknown=args.ignore_unknown_parameters)
        chosen |= name_values(template, chosen, args)
        if not args.print_params:
            problems += [f"{template.where}: {reason}" for reason in missing(chosen, template)]
        if problems:
            return report_errors(problems, "See the template's parameters with --print-params.")
        if args.print_params:
            print_parameters(template.declared, chosen, args.output, Output(args.output or "yaml"))
            report_message(template, chosen)
            return 0
        generated = generate_values(template, chosen)
        refused = refused_values(template, chosen | generated, values)
        if refused:
            return report_errors(f"{template.where}: {reason}" for reason in refused)
        try:
            objects = process(template, chosen | generated, args.vm_name)
        except atmpl.ProcessError as error:
            return report_errors(f"{template.where}: {reason}" for reason in error.errors)
        vm = _only_object(objects, template, client.namespace)
        report_warnings(template, chosen | generated, objects, values)
        given = [] if args.vm_name is not None else [name for name in name_parameters(template) if name in values]
        named = next((f"-p {name}=NAME" for name in given), "--vm-name NAME")
        created = await _create(client, vm, named, dry_run=args.dry_run)
        _report(created, generated, args)
        report_message(template, chosen | generated)
        return 0


def _only_object(objects: Sequence[dict[str, Any]], template: Template, namespace: str) -> dict[str, Any]:
    """Return the virtual machine to create. Raises CommandError if there is another object, or another namespace."""
    vm = only_vm(objects, template.where, "instantiate creates one; use atmpl process and kubectl create")
    others = [str(each.get("kind")) for each in objects if each is not vm]
    if others:
        raise CommandError(
            f"{template.where}: the template also has {', '.join(others)}; create all objects with atmpl process and "
            "kubectl create"
        )
    metadata = vm.get("metadata")
    own = metadata.get("namespace") if isinstance(metadata, dict) else None
    if own and own != namespace:
        raise CommandError(
            f"{template.where}: the virtual machine belongs to namespace {own!s:.63}; set -n {own!s:.63}"
        )
    return vm


async def _create(client: "ClusterClient", vm: dict[str, Any], name_option: str, *, dry_run: bool) -> dict[str, Any]:
    """Create the virtual machine; `name_option` gives it another name. Raises CommandError."""
    from atmpl.cli.client import explain_error, vms_path
    from atmpl.controller.cluster import AlreadyExistsError, ClusterError, InvalidError

    metadata = vm.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    named = f"the virtual machine {name}" if name else "the virtual machine"
    query = {"fieldValidation": "Strict", "fieldManager": "atmpl-instantiate"} | ({"dryRun": "All"} if dry_run else {})
    try:
        return await client.create(vms_path(client.namespace), vm, query)
    except AlreadyExistsError:
        raise CommandError(
            f"{named} already exists in namespace {client.namespace}; choose another name with {name_option}"
        ) from None
    except InvalidError as error:
        raise CommandError(f"the cluster rejects {named}: {error.server_message or error}") from None
    except ClusterError as error:
        raise explain_error(
            error, f"create {named}", not_served=NO_KUBEVIRT, client=client, namespace=client.namespace
        ) from None


def _report(created: dict[str, Any], generated: dict[str, str], args: argparse.Namespace) -> None:
    named = f"{NAMED}/{terminal.plain(created['metadata']['name'])}"
    form = args.output or ("yaml" if args.dry_run else None)
    if form in ("yaml", "json"):
        Output(form).write(without_managed_fields(created))
    else:
        terminal.write(f"{named}\n".encode() if form == "name" else f"{named} created\n".encode())
    report_generated(generated)
    if args.dry_run:
        terminal.info(f"{named} was not created (dry run)")


def _complete(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> dict[str, str]:
    """Return the candidates after `-p`, from the template in the cluster."""
    import asyncio

    from atmpl.cli.client import open_cluster

    async def declared(cluster: "AbstractAsyncContextManager[ClusterClient]") -> Sequence[Parameter]:
        async with asyncio.timeout(options.COMPLETION_SECONDS), cluster as client:
            source = options.in_template_namespace(client, parsed_args)
            content = await read_template(source, parsed_args.template, parsed_args.format)
            return open_template("", content).declared

    if not parsed_args.template:
        return {}
    try:
        return complete_parameters(prefix, asyncio.run(declared(open_cluster(parsed_args, interactive=False))))
    except (CommandError, TimeoutError, OSError):
        return {}
