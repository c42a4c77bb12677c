"""Limits of input (design section 2): what no template can carry is refused, by the path where it stands."""

from math import isfinite
from typing import Any, Final

import orjson

from atmpl.template import kinds
from atmpl.template.errors import RenderError
from atmpl.template.json_path import Path, dotted

MAX_DEPTH: Final = 200  # levels of objects and lists in one VM, the VM itself included
# Characters of the paths of all leaves together, each without its last key. Every name repeats its path, so that a VM
# of one long key and many leaves below it would become gigabytes; a cluster stores 1 MiB.
LONGEST: Final = 8 * 2**20

_STRICT: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def refuse(vm: Any) -> None:
    """Raise RenderError for what is no JSON object, or no JSON at all.

    The encoder finds bad text, keys and integers at once; depth, infinities and foreign types are met by whoever walks
    the VM (`refusal` has their words), so that nothing is walked twice.
    """
    if type(vm) is not dict:
        raise refusal((), vm)
    try:
        orjson.dumps(vm, option=_STRICT)
    except orjson.JSONEncodeError as error:
        raise _first(vm, ()) or RenderError("", f"is no JSON: {error}") from error


def refusal(path: Path, value: Any) -> RenderError:
    """Return the error for `value`, which stands at `path` and cannot be carried."""
    if len(path) >= MAX_DEPTH:
        why = f"deeper than {MAX_DEPTH} levels; take the inner levels away"
    elif not path:
        why = f"a VM is a JSON object, not {kinds.word(value)}; give the VirtualMachine itself"
    elif isinstance(value, float):
        why = "not a finite number, so no JSON; write a number"
    else:
        why = f"{kinds.word(value)} is no JSON; write a string, a number, true, false, null, a list or an object"
    return RenderError(dotted(path), why)


def _first(value: Any, path: Path) -> RenderError | None:
    """Return the error for the first thing at or below `path` that no JSON text can hold; None without one."""
    kind = type(value)
    if kind is str:
        return None if is_text(value) else RenderError(dotted(path), "holds a lone surrogate; write whole characters")
    if kind is int:
        if -(2**63) <= value < 2**64:
            return None
        return RenderError(dotted(path), "an integer beyond 64 bits; write it as a string, or a smaller one")
    if kind is float:
        return None if isfinite(value) else refusal(path, value)
    if value is None or kind is bool:
        return None
    if kind not in (dict, list) or len(path) >= MAX_DEPTH:
        return refusal(path, value)
    for key, item in value.items() if kind is dict else enumerate(value):
        if kind is dict and type(key) is not str:
            return RenderError(dotted(path), f"has a key that is {type(key).__name__}; write keys as strings")
        if isinstance(key, str) and not is_text(key):
            return RenderError(dotted((*path, key)), "its key holds a lone surrogate; write whole characters")
        if error := _first(item, (*path, key)):
            return error
    return None


def is_text(text: str) -> bool:
    """Return whether `text` is whole characters: no half of a surrogate pair alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
