"""How a template is to be made: the options of `atmpl render` and `atmpl create` alike, and their words."""

import argparse
import re

from atmpl.cli.errors import UsageError
from atmpl.template import FORMATS

INSTEAD = {  # what a warning advises to whoever writes a request: what to type here
    "ask for a template with the option secrets: Require": "use --secrets Require",
    "ask for a template with the option dataVolumes: Unique": "use --data-volumes Unique",
}

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")  # RFC 1123


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add `--name`, `--format` and the options of a request's `spec.options`."""
    parser.add_argument(
        "--name", type=name, help="the template's name; default: that of the virtual machine and -template"
    )
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        default="openshift",
        help="openshift, a Template of template.openshift.io, or native, KubeVirt's own VirtualMachineTemplate; "
        "default: openshift",
    )
    parser.add_argument(
        "--identity",
        choices=("Fresh", "Preserve"),
        default="Fresh",
        help="MAC addresses, firmware UUID and serial: Fresh gives each new virtual machine its own, Preserve makes "
        "the source's the default; default: Fresh",
    )
    parser.add_argument(
        "--data-volumes",
        choices=("Preserve", "Unique"),
        default="Preserve",
        help="names of data volumes: Preserve keeps them, so that virtual machines of one namespace share disks, "
        "Unique gives each new virtual machine its own; default: Preserve",
    )
    parser.add_argument(
        "--secrets",
        choices=("Preserve", "Require"),
        default="Preserve",
        help="cloud-init data, which may hold passwords: Preserve makes it a default that everybody can read, Require "
        "asks for it each time; default: Preserve",
    )


def name(text: str) -> str:
    """Return a name that a cluster takes. Raises argparse's error, in the words of the request's definition."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name for a cluster; write one of lower case letters, digits, '-' and '.', each part "
            "beginning and ending with a letter or a digit, such as fedora-1"
        )
    return text


def vm(text: str) -> str:
    """Return a virtual machine's name. Raises argparse's error."""
    if "/" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name; write --vm {text.rpartition('/')[2]}, and its namespace behind --vm-namespace"
        )
    return name(text)


def namespace(text: str) -> str:
    """Return a namespace's name. Raises argparse's error."""
    if len(text) > 63 or "." in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no namespace; write at most 63 lower case letters, digits and '-', such as team-a"
        )
    return name(text)


def checked(made: str, option: str) -> str:
    """Return a name made of another one. Raises UsageError where no cluster takes it; `option` gives a better one."""
    try:
        return name(made)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{option} is needed here: {error}") from None


def in_options(message: str) -> str:
    """Return a warning's message with what to type on this command line instead of what to write in a request."""
    for said, instead in INSTEAD.items():
        message = message.replace(said, instead)
    return message
