"""Options that several commands share: of the template, of the cluster (as kubectl has them), and their values."""

import argparse
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.parser import program, repeated
from atmpl.template import FORMATS
from atmpl.template.options import CHOICES, RenderOptions, TemplateMetadata
from atmpl.template.path_patterns import pattern_error
from atmpl.template.template_metadata import metadata_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from atmpl.cli.client import ClusterClient

COMPLETION_SECONDS = 5.0  # a shell waits no longer for the cluster

CLI_ADVICE = {  # what a warning advises for a request: what to type here
    "the option secrets: Extract": "--secrets Extract",
    "the option secrets: Require": "--secrets Require",
    "the option dataVolumes: Unique": "--data-volumes Unique",
    "the option identity: Fresh": "--identity Fresh",
    "the option parameters.include: [template.metadata.labels.*]": "--include 'template.metadata.labels.*'",
    "the option parameters.include: [template.metadata.labels.name]": "--include template.metadata.labels.name",
}

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")  # RFC 1123
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def add_template_options(parser: argparse.ArgumentParser) -> None:
    """Add `--name`, `--format` and the options of a request's `spec.options`."""
    parser.add_argument("--name", type=name, help="name of the template (default: VM-template, such as web-template)")
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        default="openshift",
        help="openshift: a Template of template.openshift.io; native: KubeVirt's VirtualMachineTemplate "
        "(default: openshift)",
    )
    parser.add_argument(
        "--identity",
        choices=CHOICES["identity"],
        default="Fresh",
        help="MAC addresses, firmware UUID and serial: with Fresh, each new virtual machine gets its own; with "
        "Preserve, those of the source are the defaults (default: Fresh)",
    )
    parser.add_argument(
        "--data-volumes",
        choices=CHOICES["data_volumes"],
        default="Preserve",
        help="names of data volumes: Preserve keeps them, so virtual machines in one namespace share disks; with "
        "Unique, each new virtual machine gets its own (default: Preserve)",
    )
    parser.add_argument(
        "--secrets",
        choices=CHOICES["secrets"],
        default="Preserve",
        help="passwords and keys in cloud-init data: with Preserve, each reader of the template can read them; with "
        "Require, the whole data is one required parameter; with Extract (recommended for a template for colleagues), "
        "each is a parameter of its own: a plain password is generated unless it is given; hashes, SSH keys and others "
        "are required (default: Preserve)",
    )
    parser.add_argument(
        "--naming",
        choices=CHOICES["naming"],
        help="name of a new virtual machine: Generate lets the cluster complete a prefix; Parameter adds the parameter "
        "NAME, generated unless it is given, for kubectl apply and GitOps (default: Generate)",
    )
    parser.add_argument(
        "--console",
        choices=CHOICES["console"],
        default="Listed",
        help="Listed: the OpenShift console lists the template. Complete: its name field, Customize, folders and Clone "
        "work too; the template has the parameter NAME, and CPU and memory stay literal; openshift format only "
        "(default: Listed)",
    )
    parser.add_argument(
        "--profile",
        choices=CHOICES["profile"],
        default="All",
        help="which values become parameters. All: each value below spec.template.spec, except names. Common: CPU, "
        "memory, images, claims, networks, hostname and cloud-init data, also the instance type and the size, storage "
        "class and source of data volumes. None (default: All)",
    )
    parser.add_argument(
        "--include",
        metavar="PATTERN",
        action="append",
        default=[],
        type=pattern,
        help="also make these values parameters, repeatable: a path below the virtual machine's spec, with * for one "
        "key and ** for any number, such as instancetype.name, 'template.metadata.labels.*' or "
        "'dataVolumeTemplates.**.storage'",
    )
    parser.add_argument(
        "--exclude",
        metavar="PATTERN",
        action="append",
        default=[],
        type=pattern,
        help="make no parameter of these values, repeatable; wins over --include",
    )
    parser.add_argument(
        "--label",
        metavar="KEY=VALUE",
        dest="labels",
        action="append",
        default=[],
        type=key_value,
        help="label of the template itself, repeatable",
    )
    parser.add_argument(
        "--annotation",
        metavar="KEY=VALUE",
        dest="annotations",
        action="append",
        default=[],
        type=key_value,
        help="annotation of the template itself, such as description=..., repeatable",
    )


def render_options(args: argparse.Namespace) -> RenderOptions:
    """Return the options that were typed. Raises UsageError if they contradict each other."""
    if args.console == "Complete" and args.format != "openshift":
        raise UsageError("--console Complete requires --format openshift; leave one of them out")
    if args.console == "Complete" and args.naming == "Generate":
        raise UsageError("--console Complete has the parameter NAME; leave --naming Generate out")
    return RenderOptions(
        identity=args.identity,
        data_volumes=args.data_volumes,
        secrets=args.secrets,
        naming=args.naming or "Generate",
        console=args.console,
        profile=args.profile,
        include=tuple(args.include),
        exclude=tuple(args.exclude),
    )


def template_metadata(args: argparse.Namespace) -> TemplateMetadata:
    """Return the metadata of the template that was typed. Raises UsageError if it is not valid."""
    for option, pairs in (("--label", args.labels), ("--annotation", args.annotations)):
        for key, number in repeated(key for key, _ in pairs).items():
            raise UsageError(f"{option} {key} is given {number} times; give each key one value")
    metadata = TemplateMetadata(labels=dict(args.labels), annotations=dict(args.annotations))
    if problem := metadata_error(metadata):
        raise UsageError(problem)
    return metadata


def pattern(text: str) -> str:
    """Return a pattern of paths. Raises argparse's error if it is malformed."""
    if problem := pattern_error(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def key_value(text: str) -> tuple[str, str]:
    """Return the parts of `KEY=VALUE`. Raises argparse's error."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add kubectl's options that select cluster, namespace and user, with kubectl's meaning."""
    group = parser.add_argument_group("options of kubectl")
    chosen = group.add_argument(
        "-n", "--namespace", type=namespace, help="namespace to use (default: that of the context)"
    )
    chosen.completer = complete_namespaces  # type: ignore[attr-defined] # argcomplete's attribute
    add_kubeconfig_options(group)
    group.add_argument(
        "--as", type=user, metavar="USER", dest="user", help="user to impersonate: your own user needs the right"
    )
    group.add_argument(
        "--as-group",
        type=user,
        metavar="GROUP",
        dest="groups",
        action="append",
        default=[],
        help="group to impersonate, repeatable; requires --as",
    )


def add_template_namespace(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add `--template-namespace`; `default` describes its default."""
    template_namespace = parser.add_argument(
        "--template-namespace",
        type=namespace,
        metavar="NAMESPACE",
        help=f"namespace of the template (default: {default})",
    )
    template_namespace.completer = complete_namespaces  # type: ignore[attr-defined]


def add_kubeconfig_options(group: "argparse._ActionsContainer") -> None:
    """Add the options that select a kubeconfig and its context."""
    group.add_argument(
        "--context",
        type=not_empty,
        metavar="NAME",
        help="context of the kubeconfig (default: its current context)",
    )
    group.add_argument(
        "--kubeconfig",
        type=not_empty,
        metavar="FILE",
        help="kubeconfig to use (default: KUBECONFIG, ~/.kube/config)",
    )


def check_cluster_options(args: argparse.Namespace) -> None:
    """Raise UsageError if the options contradict each other."""
    if args.groups and args.user is None:
        raise UsageError("--as-group requires --as")


def kubectl_command(args: argparse.Namespace, line: str) -> str:
    """Return `kubectl LINE` for the cluster and the namespace that were typed, ready to be pasted.

    A line that begins with `atmpl` gets the same options, though it is not a command of kubectl. One that begins with
    `kubectl` is returned as it is. A namespace in the line wins.
    """
    if line.startswith("kubectl "):
        return line
    typed = [
        *([] if args.kubeconfig is None else ["--kubeconfig", args.kubeconfig]),
        *([] if args.context is None else ["--context", args.context]),
        *([] if args.user is None else ["--as", args.user]),
        *(word for group in args.groups for word in ("--as-group", group)),
        *([] if args.namespace is None or " -n " in line else ["-n", args.namespace]),
    ]
    if line.startswith("atmpl "):
        return f"{program()} {shlex.join([*shlex.split(line)[1:], *typed])}"
    return f"{shlex.join(['kubectl', *typed])} {line}"


def fold(command: str, columns: int = 76) -> str:
    """Return `command`, continued on a line for each `-p` if it is long. The result can be pasted."""
    return command if len(command) <= columns else command.replace(" -p ", " \\\n        -p ")


def is_name(value: Any) -> bool:
    """Return True for a name that Kubernetes accepts."""
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def name(text: str) -> str:
    """Return a name that Kubernetes accepts. Raises argparse's error, in the words of the request's definition."""
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid name; use at most 253 lower case letters, digits, '-' and '.', each part "
            "beginning and ending with a letter or a digit, such as fedora-1"
        )
    return text


def vm(text: str) -> str:
    """Return a virtual machine's name. Raises argparse's error."""
    if "/" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid name; write --vm {text.rpartition('/')[2]}, and its namespace as --vm-namespace"
        )
    return name(text)


def namespace(text: str) -> str:
    """Return a namespace's name. Raises argparse's error."""
    if len(text) > 63 or "." in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid namespace; use at most 63 lower case letters, digits and '-', such as team-a"
        )
    return name(text)


def not_empty(text: str) -> str:
    """Return a text. Raises argparse's error if it is empty, as that of a variable of a shell can be."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; write a value, or leave the option out")
    return text


def user(text: str) -> str:
    """Return the name of a user or a group, which becomes an HTTP header. Raises argparse's error."""
    if not not_empty(text).isprintable():
        raise argparse.ArgumentTypeError(f"{text!a} contains a line break or another character that cannot be sent")
    return text


def whole_seconds(text: str) -> int:
    """Return a duration in seconds, which the request has as a 32-bit integer. Raises argparse's error."""
    seconds = duration(text)
    if not seconds.is_integer() or seconds >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds of at most 68 years")
    return int(seconds)


def duration(text: str) -> float:
    """Return a duration in seconds, from `90s`, `5m`, `1h30m`, `1d` or a number of seconds. Raises argparse's error."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_DURATION_PART.pattern})+", text, re.ASCII) or len(text) > 30:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write for example 90s, 5m, 1h30m or 1d")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def template_namespace_option(args: argparse.Namespace) -> str:
    """Return the option that selects the namespace of the template, for messages: the typed one, otherwise both."""
    return "--template-namespace" if args.template_namespace else "-n or --template-namespace"


def in_template_namespace(client: "ClusterClient", args: argparse.Namespace) -> "ClusterClient":
    """Return the same cluster with the namespace of `--template-namespace`, if a command has it and it was typed."""
    namespace = getattr(args, "template_namespace", None)
    return replace(client, namespace=namespace) if namespace else client


def complete_namespaces(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the cluster's namespaces, for shell completion; none if the user may not list them."""
    return _complete(prefix, parsed_args, lambda _: ["/api/v1/namespaces"])


def complete_vms(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the virtual machines in the cluster, for shell completion."""
    from atmpl.cli.client import vms_path

    namespace = getattr(parsed_args, "vm_namespace", None)
    return _complete(prefix, parsed_args, lambda client: [vms_path(namespace or client.namespace)])


def complete_templates(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the templates in the cluster, for shell completion."""
    from atmpl.cli.client import template_resources

    formats = [FORMATS[parsed_args.format]] if parsed_args.format else list(FORMATS.values())
    return _complete(
        prefix,
        parsed_args,
        lambda client: [
            each.within(in_template_namespace(client, parsed_args).namespace)
            for format in formats
            for each in template_resources(format)
        ],
    )


def _complete(
    prefix: str, parsed_args: argparse.Namespace, paths: "Callable[[ClusterClient], Iterable[str]]"
) -> list[str]:
    """Return the names of the objects at `paths` that begin with `prefix`; none if the cluster does not respond."""
    import asyncio

    from atmpl.cli.client import open_cluster
    from atmpl.controller.cluster import ClusterError

    async def list_names(cluster: "AbstractAsyncContextManager[ClusterClient]") -> list[str]:
        names: list[str] = []
        async with asyncio.timeout(COMPLETION_SECONDS), cluster as client:
            for path in paths(client):
                try:
                    names += await client.list_names(path)
                except ClusterError:  # for example a format that the cluster does not serve
                    continue
        return [name for name in dict.fromkeys(names) if name.startswith(prefix) and _NAME.fullmatch(name)]

    try:
        return asyncio.run(list_names(open_cluster(parsed_args, interactive=False)))
    except (CommandError, TimeoutError, OSError):
        return []


def valid_default_name(derived: str, option: str) -> str:
    """Return a name derived from another one. Raises UsageError if it is not valid; `option` sets a better one."""
    try:
        return name(derived)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{option} is required here: {error}") from None


def rewrite_advice_for_cli(message: str) -> str:
    """Return a warning's message with the options of this command line instead of the fields of a request."""
    for advice, option in CLI_ADVICE.items():
        message = message.replace(advice, option)
    return message
