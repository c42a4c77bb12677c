"""Limits of input. What no template can carry is rejected with its path.

Errors name the type of a value and never quote the value, because other users can read them.
"""

from math import isfinite
from types import NoneType
from typing import Any, Final

import orjson

from atmpl.template.errors import RenderError
from atmpl.template.json_path import Path, dotted

MAX_DEPTH: Final = 200  # levels of objects and lists in one VM, the VM itself included
# Scalars, objects and lists in one VM. The largest of 66 VMs of users has 127. Rendering takes up to 10 us for each,
# and one VM must not block the event loop of the controller for longer than 150 ms.
MAX_VALUES: Final = 10_000
# Characters of the paths of all leaves together, each without its last key. Each name repeats its path, so a VM with
# one long key and many leaves below it would become gigabytes. A cluster stores 1 MiB.
MAX_PATH_CHARACTERS: Final = 8 * 2**20

_STRICT: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS

_TYPE_NAMES: Final[dict[type, str]] = {
    NoneType: "null",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def json_type_name(value: object) -> str:
    """Return the name of the JSON type of `value`, with its article; the class name if it is not JSON."""
    return _TYPE_NAMES.get(type(value)) or f"a {type(value).__name__}"


def validate(vm: Any) -> None:
    """Raise RenderError if `vm` is not a JSON object.

    The encoder finds invalid text, keys and integers at once. The code that walks the VM finds excessive depth,
    infinities and foreign types, and uses `validation_error`, so nothing is walked twice.
    """
    if type(vm) is not dict:
        raise validation_error((), vm)
    try:
        orjson.dumps(vm, option=_STRICT)
    except orjson.JSONEncodeError as error:
        raise first_error(vm, ()) or RenderError("", f"is not valid JSON: {error}") from error


def validation_error(path: Path, value: Any) -> RenderError:
    """Return the error for `value`, which is at `path` and which no template can carry."""
    if len(path) >= MAX_DEPTH:
        why = f"is deeper than {MAX_DEPTH} levels; remove the inner levels"
    elif not path:
        why = f"a VM is a JSON object, not {json_type_name(value)}; pass the VirtualMachine itself"
    elif isinstance(value, float):
        why = "is not a finite number, so it is not valid JSON; write a number"
    else:
        why = (
            f"{json_type_name(value)} is not valid JSON; "
            "write a string, a number, true, false, null, a list or an object"
        )
    return RenderError(dotted(path), why)


def first_error(value: Any, path: Path) -> RenderError | None:
    """Return the error for the first value at or below `path` that is not valid JSON; None if there is none."""
    kind = type(value)
    if kind is str:
        if is_text(value):
            return None
        return RenderError(dotted(path), "holds a lone surrogate; write complete characters")
    if kind is int:
        if -(2**63) <= value < 2**64:
            return None
        return RenderError(dotted(path), "is an integer beyond 64 bits; write a smaller one")
    if kind is float:
        return None if isfinite(value) else validation_error(path, value)
    if value is None or kind is bool:
        return None
    if kind not in (dict, list) or len(path) >= MAX_DEPTH:
        return validation_error(path, value)
    for key, item in value.items() if kind is dict else enumerate(value):
        if kind is dict and type(key) is not str:
            return RenderError(dotted(path), f"has a key that is {type(key).__name__}; write keys as strings")
        if isinstance(key, str) and not is_text(key):
            return RenderError(dotted((*path, key)), "its key holds a lone surrogate; write complete characters")
        if error := first_error(item, (*path, key)):
            return error
    return None


def is_text(text: str) -> bool:
    """Return True if `text` consists of complete characters: no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
