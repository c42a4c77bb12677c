"""Console safety for any VM: the last part of rule 3.

The OpenShift console shows a template by replacing `${P}` in the template's JSON text, one parameter with a value after
another, and parsing the result. `references.encode_value` uses no `${P}` for a default that breaks such text. But a VM
can hold the text `${P}` itself, for example in cloud-init, where the processor does not look and the console does. That
is harmless if P's default is harmless (a common script has `${HOSTNAME}`). Otherwise no text keeps a reference: its
dollars are written as a JSON escape, which only the processor decodes. The validations that rule 12 copies are JSON
themselves, so they have the same meaning with that escape.
"""

import re
from collections.abc import Collection, KeysView
from typing import Any, Final

import orjson

from atmpl.template import go_json
from atmpl.template.errors import RenderError
from atmpl.template.references import breaks_console, json_string
from atmpl.template.rules import COPIED_ANNOTATIONS

_REFERENCE: Final = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")
_NESTED: Final = re.compile(r"\$\{?[a-zA-Z0-9_]*\$\{([a-zA-Z0-9_]+)\}")  # a replacement can complete a reference


class TextReferenceError(Exception):
    """A parameter that is only part of a text would have to be escaped."""


def escape_for_console(
    template: dict[str, Any], parameters: list[dict[str, Any]], inside_text: Collection[str] = ()
) -> None:
    """Change `template` and its `parameters`, which are parts of it, so that they do not break the console.

    `inside_text` are the parameters whose reference is only part of a text; they cannot be escaped. Raises
    TextReferenceError if one of them would have to be, and RenderError if the template's metadata or the VM's labels
    would have to change.
    """
    metadata: dict[str, Any] = template.get("metadata", {})
    fixed = orjson.dumps(metadata).decode()
    suspects = [parameter for parameter in parameters if "${" in parameter.get("value", "")]
    if not suspects and "${" not in fixed:
        return
    values = {parameter["name"]: parameter["value"] for parameter in parameters if parameter.get("value")}
    mentioned = {*_REFERENCE.findall(fixed)}.union(*(_REFERENCE.findall(parameter["value"]) for parameter in suspects))
    if mentioned.isdisjoint(values) or not any(map(breaks_console, values.values())):
        return
    risky = {name for name in mentioned & values.keys() if "$" in values[name] or breaks_console(values[name])}
    if not any(
        _may_break(text, values.keys(), risky) for text in (fixed, *(parameter["value"] for parameter in suspects))
    ):
        return
    typed: dict[str, str] = {}  # the string reference of an escaped parameter: its typed reference
    for parameter in suspects:
        name, text = parameter["name"], parameter["value"]
        if not values.keys().isdisjoint(_REFERENCE.findall(text)):
            if name in inside_text:
                raise TextReferenceError
            parameter["value"] = _escaped(text if _is_surely_json(text) else json_string(text))
            typed[f"${{{name}}}"] = f"${{{{{name}}}}}"
    annotations = metadata.get("annotations", {})
    for copied in annotations.keys() & COPIED_ANNOTATIONS:
        if not values.keys().isdisjoint(_REFERENCE.findall(annotations[copied])):
            annotations[copied] = _escaped(annotations[copied])
    if not values.keys().isdisjoint(_REFERENCE.findall(orjson.dumps(metadata).decode())):
        why = "the template's name, a label or an annotation holds a ${...} that names a parameter; change it"
        raise RenderError("metadata", why)
    for field, value in template.items():
        if field == "labels":  # a map of strings, in which nothing is decoded
            _check_labels(value, typed)
        else:
            template[field] = _use_typed_references(value, typed)


def _escaped(json: str) -> str:
    """Return JSON with the same value and without a dollar, which is possible only inside strings."""
    return json.replace("$", "\\u0024")


def _is_surely_json(text: str) -> bool:
    """Return True if a default that holds a reference is JSON already.

    If `references.is_json` is in doubt, rule 3 has made a JSON string of the text, unless it holds no quote.
    """
    try:
        go_json.decode(text)
    except ValueError:  # also ProcessError: too deep to decode, so it is not a JSON string
        return False
    return True


def _may_break(text: str, names: KeysView[str], risky: set[str]) -> bool:
    """Return True if replacing the references in `text` can insert a default that breaks JSON text.

    `risky` are the parameters whose default breaks it, or begins another reference.
    """
    return not risky.isdisjoint(_REFERENCE.findall(text)) or not names.isdisjoint(_NESTED.findall(text))


def _check_labels(labels: dict[str, str], typed: dict[str, str]) -> None:
    texts = {*labels, *labels.values()}
    if any(string_ref in texts or typed_ref in texts for string_ref, typed_ref in typed.items()):
        raise RenderError("metadata.labels", "a label holds a ${...} that names a parameter; change it")


def _use_typed_references(value: Any, typed: dict[str, str]) -> Any:
    """Return `value` with each string reference in `typed` replaced by its typed reference."""
    if isinstance(value, str):
        return typed.get(value, value)
    if isinstance(value, list):
        return [_use_typed_references(item, typed) for item in value]
    if isinstance(value, dict):
        return {typed.get(key, key): _use_typed_references(item, typed) for key, item in value.items()}
    return value
