"""Values inside a cloud-config: whether a parameter's value arrives as the string that was supplied.

A value becomes part of a YAML text, so `0123` is the number 83 for cloud-init, and `a: b` or a quote breaks the text.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from atmpl.template.cloud_config import HEADER, is_in_limits, load_yaml
from atmpl.template.source_vm import objects_in, value_at
from atmpl.template.substitution import STRING_REF, TYPED_REF

MAX_INLINE_BYTES: Final = 2048  # of userData or networkData; KubeVirt refuses longer ones
MAX_PARAMETERS: Final = 20  # in one text; beyond it the text is not checked

_LITERAL: Final = re.compile(r"LITERAL[0-9]+")
_SOURCES: Final = ("cloudInitNoCloud", "cloudInitConfigDrive")


def undelivered_parameters(vm: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """Return the parameters whose value does not arrive as a string in a cloud-config of the templated `vm`.

    `values` has the value of each parameter; one without a value is not checked. A text outside of the limits of
    `secrets: Extract` is not checked either.
    """
    names: dict[str, None] = {}
    for _, volume in objects_in(value_at(dict(vm), "spec", "template", "spec", "volumes")):
        for source in _SOURCES:
            text = value_at(volume, source, "userData")
            if type(text) is str:
                names.update(dict.fromkeys(undelivered_in(text, values)))
    return list(names)


def undelivered_in(text: str, values: Mapping[str, str]) -> list[str]:
    """Return the parameters whose value does not arrive as a string in `text`, which holds references as its parts."""
    names = [name for name in dict.fromkeys(STRING_REF.findall(text)) if name in values]
    checked = [name for name in names if not _LITERAL.fullmatch(name)]
    is_config = text.partition("\n")[0].strip().lower() == HEADER
    if not checked or not is_config or TYPED_REF.match(text) or len(checked) > MAX_PARAMETERS:
        return []
    marks = _marks(text, values, names)
    literal = {name: values[name] for name in names if name not in checked}
    pattern = _parse(_replaced(text, marks | literal))
    if pattern is _BROKEN:
        return []  # not because of the values, or the text is too long
    undelivered = []
    for name in checked:
        actual = _parse(_replaced(text, marks | literal | {name: values[name]}))
        if actual != _with_value(pattern, marks[name], values[name]):
            undelivered.append(name)
    return undelivered


_BROKEN: Final = object()


def _marks(text: str, values: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """Return a plain word for each parameter that occurs neither in the text nor in a value."""
    everything = "\n".join([text, *(values[name] for name in names)])
    prefix = "mark"
    while prefix in everything:
        prefix += "x"
    return {name: f"{prefix}{index}q" for index, name in enumerate(names)}


def _replaced(text: str, values: Mapping[str, str]) -> str:
    return STRING_REF.sub(lambda found: values.get(found[1], found[0]), text)


def _parse(text: str) -> Any:
    """Return the value of `text`; _BROKEN if it is not simple YAML."""
    if not is_in_limits(text):
        return _BROKEN
    try:
        return load_yaml(text)
    except ValueError:
        return _BROKEN


def _with_value(tree: Any, mark: str, value: str) -> Any:
    """Return `tree` with `value` instead of `mark` in its strings and keys."""
    if isinstance(tree, str):
        return tree.replace(mark, value)
    if isinstance(tree, list):
        return [_with_value(item, mark, value) for item in tree]
    if isinstance(tree, dict):
        return {_with_value(key, mark, value): _with_value(item, mark, value) for key, item in tree.items()}
    return tree
