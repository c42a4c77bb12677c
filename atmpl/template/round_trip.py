"""The proof before publishing: `process(template, defaults)` is the VM. Design section 2.

What is expected is made from the VM and the design's tables alone, not from what the renderer made of them, and the
template is processed by the format's own processor. Rules 5 to 10 are the only exceptions.
"""

from typing import Any, Final

import orjson

from atmpl.template import data_volumes
from atmpl.template.errors import ProcessError, RenderError
from atmpl.template.formats.format import Format
from atmpl.template.json_path import Path, dotted
from atmpl.template.leaves import is_reference
from atmpl.template.options import RenderOptions
from atmpl.template.rules import IDENTITY, REVISIONS, Shape
from atmpl.template.source_vm import Source
from atmpl.template.template_metadata import TEMPLATE_LABEL

SUFFIX: Final = "00000"  # what the proof has for the suffix, which a cluster draws by lot


def verify_round_trip(
    template: dict[str, Any], format: Format, source: Source, options: RenderOptions, given: dict[str, str]
) -> None:
    """Raise RenderError, with the path in the VM, unless `template` makes the VM again.

    `given` are the VM's own values of the parameters that have no default.
    """
    unique = data_volumes.names(source.spec) if options.data_volumes == "Unique" else frozenset[str]()
    try:
        (made,) = format.process(template, {**given, "SUFFIX": SUFFIX} if unique else given)
    except ProcessError as error:
        # What the processor says quotes the template, and so the VM: the cause is for who debugs, never for a status.
        raise RenderError("", f"its {format.kind} cannot be processed; this is a bug of atmpl") from error
    expected = _expected(source, options, unique) | dict(format.forces)
    if _same_text(expected, _without_our_label(made)):  # by far the quickest; what differs there may yet be equal
        return
    path = _difference(expected, made, ())
    if path is not None:
        raise RenderError(dotted(path), _why(expected, path, format))


def _expected(source: Source, options: RenderOptions, unique: frozenset[str]) -> dict[str, Any]:
    """Return the VM that the template must make. Shares with the VM what is not different."""
    spec = dict(source.spec)
    for field, key in REVISIONS:
        if isinstance(spec.get(field), dict):
            spec[field] = {name: value for name, value in spec[field].items() if name != key}
    instance = source.instance
    if options.identity == "Fresh":
        for shape in IDENTITY:
            instance = _blanked(instance, shape)
    if unique:
        instance = _suffixed(instance, unique, ())
        spec[data_volumes.FIELD] = [_renamed(template, unique) for template in spec[data_volumes.FIELD]]
    spec["template"] = spec["template"] | {"spec": instance}
    metadata: dict[str, Any] = {"generateName": f"{source.name}-", "labels": source.labels}
    if source.annotations:
        metadata["annotations"] = source.annotations
    return {"apiVersion": source.api_version, "kind": "VirtualMachine", "metadata": metadata, "spec": spec}


def _blanked(value: Any, shape: Shape) -> Any:
    """Return `value` with the scalar at `shape` empty: rule 8."""
    if not shape:
        return "" if isinstance(value, str | bool | int | float) else value
    key, rest = shape[0], shape[1:]
    if isinstance(key, str):
        return value | {key: _blanked(value[key], rest)} if isinstance(value, dict) and key in value else value
    return [_blanked(item, rest) for item in value] if isinstance(value, list) else value


def _suffixed(value: Any, unique: frozenset[str], path: Path) -> Any:
    """Return `value` with the suffix at each reference to one of the data volumes `unique`: rule 7."""
    if isinstance(value, list):
        return [_suffixed(item, unique, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    return {
        key: f"{item}-{SUFFIX}"
        if isinstance(item, str) and item in unique and is_reference(path, key)
        else _suffixed(item, unique, (*path, key))
        for key, item in value.items()
    }


def _renamed(template: Any, unique: frozenset[str]) -> Any:
    """Return a data volume template with the suffix in its name: rule 7."""
    metadata = template.get("metadata") if isinstance(template, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or name not in unique:
        return template
    return template | {"metadata": metadata | {"name": f"{name}-{SUFFIX}"}}


def _without_our_label(made: dict[str, Any]) -> dict[str, Any]:
    """Return `made`, changed in place: no labels are none, and the label of rule 6 is the only addition."""
    labels = made["metadata"].setdefault("labels", {})
    if isinstance(labels, dict):
        labels.pop(TEMPLATE_LABEL, None)
    return made


def _same_text(expected: Any, made: Any) -> bool:
    try:
        return orjson.dumps(expected) == orjson.dumps(made)
    except orjson.JSONEncodeError:  # a large float came back as an integer beyond 64 bits
        return False


def _difference(expected: Any, made: Any, path: Path) -> Path | None:
    """Return the path of the first difference. Numbers compare by value, and booleans are never numbers."""
    if isinstance(expected, dict) and isinstance(made, dict):
        for key in (*expected, *(key for key in made if key not in expected)):
            if key not in expected or key not in made:
                return (*path, key)
            found = _difference(expected[key], made[key], (*path, key))
            if found is not None:
                return found
        return None
    if isinstance(expected, list) and isinstance(made, list) and len(expected) == len(made):
        for index, (mine, theirs) in enumerate(zip(expected, made, strict=True)):
            found = _difference(mine, theirs, (*path, index))
            if found is not None:
                return found
        return None
    if isinstance(expected, float) and type(made) is int:
        made = float(made)  # as whoever reads a float reads Go's text of it
    same = expected == made and isinstance(expected, bool) == isinstance(made, bool)
    return None if same else path


def _why(expected: dict[str, Any], path: Path, format: Format) -> str:
    value: Any = expected
    for key in path:
        value = value[key] if isinstance(key, int) or key in value else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"a {format.kind} cannot carry this number exactly; write it as a string, or a smaller one"
    return f"does not come back from its {format.kind} as it is; this is a bug of atmpl"
