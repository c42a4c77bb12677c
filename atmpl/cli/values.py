"""The values that a person gives for a template's parameters: `-p NAME=VALUE`, and files of such lines."""

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from atmpl.cli import manifests
from atmpl.cli.errors import CommandError
from atmpl.cli.nearest import nearest
from atmpl.template.parameters import Parameter

_NAME = re.compile(r"[a-zA-Z0-9_]+")  # what a reference in a template can say


class Assigned(NamedTuple):
    """A value, and its place in words: `small.env, line 3`."""

    value: str
    where: str


def assignment(text: str) -> tuple[str, str]:
    """Return the name and the value of `NAME=VALUE`. Raises argparse's error where there is no name or no `=`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name.strip(), value


def from_file(path: str) -> dict[str, Assigned]:
    """Return the values in a file of `NAME=VALUE` lines; empty lines and those that begin with # are left out.

    A value is taken as it stands, quotes included; of one name the last line counts. Raises CommandError.
    """
    source = manifests.shown(path)
    values = {}
    for number, line in enumerate(manifests.text(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{source}, line {number}"
        try:
            name, value = assignment(line)
        except argparse.ArgumentTypeError:
            raise CommandError(f"{where}: this is not NAME=VALUE") from None
        if not _NAME.fullmatch(name):
            raise CommandError(
                f"{where}: {name:.60} is no parameter's name, of letters, digits and _; write NAME=VALUE without "
                "quotes or export"
            )
        values[name] = Assigned(value, where)
    return values


def unknown(values: Iterable[str], declared: Sequence[Parameter]) -> Iterator[tuple[str, str]]:
    """Yield each name of `values` that the template does not know, and a sentence about it."""
    known = {parameter.name for parameter in declared}
    for name in values:
        if name not in known:
            yield name, f"there is no parameter {name}{nearest(name, known)}"


def unfit_labels(values: Mapping[str, str], template: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each of `values` that is all of an object's labels and cannot be labels.

    Nothing else says so: OpenShift's processor drops it, KubeVirt's passes it on for the API server to refuse.
    `template` is of a known kind, its parameters are read; what is wrong with its objects is for others to say.
    """
    spec = template.get("spec")
    objects = template.get("objects") or (spec.get("virtualMachine") if isinstance(spec, dict) else None)
    stand = {_labels(each) for each in (objects if isinstance(objects, list) else [objects])}
    for name, value in values.items():
        if f"${{{{{name}}}}}" in stand and not _are_labels(value):
            comes = "OpenShift drops it" if template.get("kind") == "Template" else "a cluster refuses such labels"
            yield f'the parameter {name} is no JSON object of strings, such as {{"team": "db"}}: {comes}'


def _labels(each: Any) -> str | None:
    metadata = each.get("metadata") if isinstance(each, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, str) else None


def _are_labels(value: str) -> bool:
    try:
        labels = orjson.loads(value or "null")
    except orjson.JSONDecodeError:
        return False
    return labels is None or (isinstance(labels, dict) and all(isinstance(each, str) for each in labels.values()))


def missing(values: Mapping[str, str], declared: Sequence[Parameter]) -> Iterator[str]:
    """Yield a sentence for each parameter that needs a value and has none."""
    for parameter in declared:
        name = parameter.name
        if parameter.required and not parameter.generate and not values.get(name, parameter.value):
            yield f"the parameter {name} is required and has no value; give one with -p {name}=VALUE"
