"""`atmpl diff`: what has changed between a template and its virtual machine since it was made.

The template is processed with its defaults. The virtual machine is rendered as it is now, with the options that the
template was made with, and processed too. So what belongs to one virtual machine only (rules 5 to 10 of
atmpl/README.md) is equal on both sides, and changed defaults of the template are shown.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

import atmpl
from atmpl.cli import manifests, options, terminal
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.manifests import Document, InvalidDocument, documents
from atmpl.cli.yaml import write
from atmpl.template import FORMATS, RenderOptions
from atmpl.template.data_volumes import SUFFIX, SUFFIX_REFERENCE
from atmpl.template.parameters import Parameter, parameters
from atmpl.template.template_metadata import OPTIONS, PROVENANCE, TEMPLATE_LABEL

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from atmpl.cli.client import ClusterClient

DESCRIPTION = """\
Show what has changed between a template and its virtual machine since it was
made.

Compares two results: the template processed with its defaults, and the current
virtual machine rendered and processed again. Ignored: the name of
the virtual machine, generated suffixes of disks, parameters without a value
(such as passwords and keys), other objects of the template, and unique values
such as MAC addresses unless the template preserves them.
`-`: template; `+`: current virtual machine.

Reads both from a cluster, or from two files without one.
"""

EPILOG = """\
examples:
  # a template in the cluster, and the virtual machine that it was made from
  atmpl diff --template web-template

  # and another virtual machine
  atmpl diff --template web-template --vm web

  # without a cluster
  atmpl diff web-template.yaml vm.yaml

  # one of them from a cluster
  kubectl get virtualmachine web -o yaml | atmpl diff web-template.yaml -

exit status:
  0  there is no difference
  1  there is a difference
  2  they cannot be compared, or wrong usage; standard error has the cause
"""

DIFFERENT = 1
STYLES = {"--- ": terminal.BOLD, "+++ ": terminal.BOLD, "@@": "36", "-": "31", "+": "32", "": ""}  # as in git
NAMES = ("name", "generateName")
KINDS = {each.kind for each in FORMATS.values()}
NO_KUBEVIRT = "the cluster has no virtual machines; ask its administrator to install KubeVirt"


class Pair(NamedTuple):
    """A template and a virtual machine, and their names for messages."""

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
    template = parser.add_argument("--template", type=options.name, metavar="NAME", help="the template in the cluster")
    template.completer = options.complete_templates  # type: ignore[attr-defined] # argcomplete's attribute
    options.add_template_namespace(parser, default="-n")
    vm = parser.add_argument(
        "--vm",
        type=options.vm,
        metavar="NAME",
        help="the virtual machine in the cluster (default: the one that the template was made from)",
    )
    vm.completer = options.complete_vms  # type: ignore[attr-defined]
    vm_namespace = parser.add_argument(
        "--vm-namespace",
        type=options.namespace,
        metavar="NAMESPACE",
        help="its namespace (default: the one that the template records; -n if --vm has another name, or with --vm and "
        "--template-namespace)",
    )
    vm_namespace.completer = options.complete_namespaces  # type: ignore[attr-defined]
    parser.add_argument(
        "--format", choices=list(FORMATS), help="format of the template in the cluster (default: any format)"
    )
    options.add_cluster_options(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print a unified diff."""
    options.check_cluster_options(args)
    if args.files and (args.template or args.template_namespace or args.vm or args.vm_namespace or args.format):
        raise UsageError("name two files, or a --template in the cluster; the other options are about the cluster")
    if not args.files and not args.template:
        raise UsageError("name a --template in the cluster, or two files: the template and the virtual machine")
    if args.files and len(args.files) != 2:
        files = f"two files, the template and the virtual machine, not {len(args.files)}"
        raise UsageError(f"name {files}; or a --template in the cluster")
    if args.files == [manifests.STDIN] * 2:
        raise UsageError("standard input cannot be both of them; name a file for one")
    if args.files:
        pair = _from_files(args.files)
    else:
        import asyncio

        from atmpl.cli.client import open_cluster

        pair = asyncio.run(_from_cluster(open_cluster(args), args))
    before, after = compare(pair)
    template_name, vm_name = map(terminal.plain, pair.names)  # they can contain names from the files
    lines = [_painted(line) for line in diff_lines(before, after, (template_name, vm_name))]
    terminal.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
    return DIFFERENT if lines else 0


def compare(pair: Pair) -> tuple[str, str]:
    """Return the YAML of the virtual machine that the template gives, and of the one that a template made now gives.

    Keys are sorted, because a cluster does not keep their order. Raises CommandError.
    """
    template_name, vm_name = pair.names
    try:
        before = _process(pair.template, template_name)
        vm = _without_suffixes(pair.vm, before)
        rendered = atmpl.render(vm, **_render_options(pair.template, template_name))
        after = _process(rendered.template, vm_name)
        for sentence in moved_parameters(pair.template, rendered.template):
            terminal.warning(f"{template_name}: {sentence}")
        return write(_sorted(before)), write(_sorted(after))
    except atmpl.RenderError as error:
        raise CommandError(f"{vm_name}: {error}") from None
    except atmpl.ProcessError as error:
        raise CommandError(f"{template_name}: {'; '.join(error.errors)}") from None
    except RecursionError:
        raise CommandError(f"{template_name}: cannot be compared: it is nested too deep") from None
    except UnicodeEncodeError:
        raise CommandError(f"{template_name}: contains half of a surrogate pair; remove that character") from None


def diff_lines(before: str, after: str, names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff, without their ends; none if there is no difference."""
    return unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")


def _process(template: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the virtual machine of a template; a parameter without a value is shown as a reference to it.

    Left out are its name, which is never that of the source, empty metadata, and the label that names the template:
    only the OpenShift format adds it, and `convert` keeps it.
    """
    references = {each.name: f"${{{each.name}}}" for each in parameters(template) if _has_no_value(each)}
    vms = [each for each in atmpl.process(template, references) if each.get("kind") == "VirtualMachine"]
    if len(vms) != 1:
        raise CommandError(f"{where}: the template has {len(vms) or 'no'} virtual machines; give a template with one")
    [vm] = vms
    metadata = vm.get("metadata")
    if isinstance(metadata, dict):
        if isinstance(labels := metadata.get("labels"), dict):
            labels.pop(TEMPLATE_LABEL, None)
        vm["metadata"] = {key: value for key, value in metadata.items() if key not in NAMES and value}
    return {key: value for key, value in vm.items() if key != "metadata" or value}


def _has_no_value(parameter: Parameter) -> bool:
    return not parameter.value and bool(parameter.generate or parameter.required)


def _render_options(template: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the arguments of `render` that a template was made with. Raises CommandError if they are not valid."""
    metadata = template.get("metadata") or {}
    text = (metadata.get("annotations") or {}).get(OPTIONS, "{}")
    try:
        chosen = RenderOptions.from_spec(dict(orjson.loads(text)))
    except (ValueError, TypeError) as error:
        raise CommandError(f"{where}: the annotation {OPTIONS} is not valid: {error}; remove or correct it") from None
    format = next(name for name, format in FORMATS.items() if format.kind == template["kind"])
    if chosen.console == "Complete":  # a converted template; only that format has this option
        format = "openshift"
    return {
        "format": format,
        "name": metadata.get("name"),
        **{field.name: getattr(chosen, field.name) for field in fields(chosen)},
    }


def moved_parameters(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each parameter that names another item in the template `after` than in `before`.

    A parameter's name contains the index of its item, its display name the item's own name.
    """
    meanings = {each.name: each.display_name for each in parameters(before)}
    for each in parameters(after):
        meaning = meanings.get(each.name)
        if meaning and each.display_name and meaning != each.display_name:
            yield (
                f"the parameter {each.name} is `{meaning}` in the template, and would be `{each.display_name}` in a "
                "new one: an item was added, removed or moved"
            )


def _without_suffixes(value: Any, before: Any) -> Any:
    """Return `value`, a part of the virtual machine, without suffixes that the template `before` generates.

    So the disks of a virtual machine that was made from the template are equal to those of the source.
    """
    if isinstance(value, dict) and isinstance(before, dict):
        return {key: _without_suffixes(item, before.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(before, list):
        return [_without_suffixes(*each) for each in zip(value, [*before, *value][: len(value)], strict=True)]
    if isinstance(value, str) and isinstance(before, str) and before.endswith(SUFFIX_REFERENCE):
        name = before.removesuffix(SUFFIX_REFERENCE)
        return name if re.fullmatch(f"{re.escape(name)}-{SUFFIX['from']}", value) else value
    return value


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _painted(line: str) -> str:
    style = next(style for start, style in STYLES.items() if line.startswith(start))
    return terminal.paint(line, style, sys.stdout) if style else line


def _from_files(files: list[str]) -> Pair:
    """Return the pair in two files, in any order; other objects in them are ignored."""
    objects = [each for path in files for each in _objects(path)]
    templates = [each for each in objects if manifests.kind_of(each.value) in KINDS]
    vms = [each for each in objects if manifests.kind_of(each.value) == "VirtualMachine"]
    if len(templates) != 1 or len(vms) != 1:
        raise CommandError(
            f"give one template and one virtual machine; the files contain {len(templates)} and {len(vms)}: "
            + ", ".join(f"{each.where}: {manifests.kind_of(each.value) or 'no kind'}" for each in objects[:10])
        )
    [template], [vm] = templates, vms
    return Pair(template.value, vm.value, (template.where, vm.where))


def _objects(path: str) -> list[Document]:
    objects = []
    for each in documents(path):
        if isinstance(each, InvalidDocument):
            raise CommandError(f"{each.where}: {each.reason}")
        if not isinstance(each.value, dict):
            raise CommandError(f"{each.where}: no object found")
        if not manifests.kind_of(each.value):
            raise CommandError(f"{each.where}: {manifests.describe_kind(each.value)}; remove it, or correct its kind")
        objects.append(each)
    return objects


async def _from_cluster(cluster: "AbstractAsyncContextManager[ClusterClient]", args: argparse.Namespace) -> Pair:
    """Return the pair in a cluster. Raises CommandError."""
    from atmpl.cli.client import explain_error, vm_path
    from atmpl.controller.cluster import ClusterError

    async with cluster as client:
        source = options.in_template_namespace(client, args)
        template = await read_template(source, args.template, args.format, options.template_namespace_option(args))
        namespace, name = _source(template, args, client.namespace)
        try:
            vm = await client.read(vm_path(namespace, name))
        except ClusterError as error:
            action = f"get the virtual machine {name} in namespace {namespace}"
            fix = f"request a role such as view in {namespace}"
            raise explain_error(
                error, action, not_served=NO_KUBEVIRT, client=client, namespace=namespace, fix=fix
            ) from None
        if vm is None and await client.namespace_is_missing(namespace):
            raise CommandError(
                f"the virtual machine {name} does not exist: there is no namespace {namespace}; set another "
                "--vm-namespace"
            )
        if vm is None:
            raise CommandError(
                f"the virtual machine {name} does not exist in namespace {namespace}; set --vm and --vm-namespace to "
                "the one to compare"
            )
        kind = template["kind"].lower()
        names = f"{kind}/{args.template} in {source.namespace}", f"virtualmachine/{name} in {namespace}"
        return Pair(template, vm, names)


async def read_template(
    client: "ClusterClient", name: str, format_name: str | None, option: str = "-n"
) -> dict[str, Any]:
    """Return the template of that name, of the format `format_name` or of any. Raises CommandError.

    It is an error if both formats have a template of that name. If the user may get one kind only, the other is not
    searched: without the right to get it, a kind that the cluster does not serve is forbidden too. `option` sets the
    namespace of the template.
    """
    from atmpl.cli.client import explain_error
    from atmpl.controller.cluster import APINotFoundError, ClusterError, ForbiddenError

    formats = [FORMATS[format_name]] if format_name else list(FORMATS.values())
    fix = f"request a role such as view in {client.namespace}, or choose another namespace with {option}"
    served, found = False, []
    forbidden: dict[str, ForbiddenError] = {}  # by kind
    for format in formats:
        try:
            template = await client.read_template(format, name)
        except APINotFoundError:
            continue
        except ForbiddenError as error:
            forbidden[format.kind] = error
            continue
        except ClusterError as error:
            action = f"get the {format.kind} {name}"
            raise explain_error(error, action, not_served="", client=client, namespace=client.namespace) from None
        served = True
        if template is not None:
            found.append(template)
    kinds = " or ".join(format.kind for format in formats if format.kind not in forbidden)
    if forbidden and not found:
        action = f"get the {' or the '.join(forbidden)} {name}"
        if served:
            searched = next(key for key, format in FORMATS.items() if format.kind == kinds)
            action += f", and the {kinds} {name} does not exist in namespace {client.namespace}"
            fix = f"--format {searched} searches the {kinds} only; {fix}"
        denied = next(iter(forbidden.values()))
        raise explain_error(denied, action, not_served="", client=client, namespace=client.namespace, fix=fix)
    if not served and not found:
        raise CommandError(f"the cluster does not serve {kinds}; use files instead")
    if not found and await client.namespace_is_missing(client.namespace):
        raise CommandError(
            f"the {kinds} {name} does not exist: there is no namespace {client.namespace}; choose another one with "
            f"{option}"
        )
    if not found:
        raise CommandError(
            f"the {kinds} {name} does not exist in namespace {client.namespace}; choose another namespace with {option}"
        )
    if len(found) > 1:
        raise CommandError(f"there are two templates {name} in namespace {client.namespace}; choose one with --format")
    return found[0]


def _source(template: dict[str, Any], args: argparse.Namespace, namespace: str) -> tuple[str, str]:
    """Return namespace and name of the virtual machine. The annotation can be edited, so it is validated."""
    source = (template["metadata"].get("annotations") or {}).get(f"{PROVENANCE}source")
    try:
        source_namespace, _, name = str(source).partition("/")
        recorded = options.namespace(source_namespace), options.name(name)
    except argparse.ArgumentTypeError:
        recorded = None
    if recorded and (args.vm is None or (args.vm == recorded[1] and not args.template_namespace)):
        return args.vm_namespace or recorded[0], recorded[1]
    if args.vm:
        return args.vm_namespace or namespace, args.vm
    raise CommandError(
        f"the template {args.template} has no valid annotation {PROVENANCE}source; name the virtual machine with "
        "--vm, and its namespace with --vm-namespace"
    )
