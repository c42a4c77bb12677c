"""The template and the virtual machine that `atmpl diff` compares, read from a cluster."""

import argparse
from typing import Any

from atmpl.cli import options
from atmpl.cli.client import ClusterClient, explained, opened, template, vm
from atmpl.cli.errors import CommandError
from atmpl.controller.cluster import APINotFoundError, ClusterError
from atmpl.template import FORMATS
from atmpl.template.template_metadata import PROVENANCE

NO_KUBEVIRT = "the cluster has no virtual machines; have its administrator install KubeVirt"


async def read(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any], tuple[str, str]]:
    """Return the template, the virtual machine, and how a person knows them. Raises CommandError."""
    async with opened(args) as api:
        found = await _template(api, args)
        namespace, name = _source(found, args, api.namespace)
        try:
            machine = await api.read(vm(namespace, name))
        except ClusterError as error:
            doing = f"get the virtual machine {name} in namespace {namespace}"
            raise explained(error, doing, unserved=NO_KUBEVIRT, api=api, namespace=namespace) from None
        if machine is None:
            raise CommandError(
                f"there is no virtual machine {name} in namespace {namespace}; name another one with --vm"
            )
        kind = found["kind"].lower()
        return found, machine, (f"{kind}/{args.template} in {api.namespace}", f"virtualmachine/{name} in {namespace}")


async def _template(api: ClusterClient, args: argparse.Namespace) -> dict[str, Any]:
    """Return the template of that name, of the format that was named or of any."""
    formats = [FORMATS[args.format]] if args.format else list(FORMATS.values())
    served = False
    for format in formats:
        try:
            found = await api.read(template(format, api.namespace, args.template))
        except APINotFoundError:
            continue
        except ClusterError as error:
            doing = f"get the {format.kind} {args.template}"
            raise explained(error, doing, unserved="", api=api, namespace=api.namespace) from None
        served = True
        if found is not None:
            return found
    kinds = " or ".join(format.kind for format in formats)
    if not served:
        raise CommandError(f"the cluster knows no {kinds}; compare files instead: atmpl diff FILE FILE")
    raise CommandError(f"there is no {kinds} {args.template} in namespace {api.namespace}")


def _source(found: dict[str, Any], args: argparse.Namespace, namespace: str) -> tuple[str, str]:
    """Return namespace and name of the virtual machine. What a template says of it was anybody's to edit."""
    if args.vm:
        return args.vm_namespace or namespace, args.vm
    said = (found["metadata"].get("annotations") or {}).get(f"{PROVENANCE}source")
    try:
        where, _, name = str(said).partition("/")
        return args.vm_namespace or options.namespace(where), options.name(name)
    except argparse.ArgumentTypeError:
        raise CommandError(
            f"the template {args.template} does not say what it was made of; name it with --vm"
        ) from None
