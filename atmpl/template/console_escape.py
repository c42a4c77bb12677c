"""Console safety, for any VM at all: the last part of rule 3.

The OpenShift console shows a template by replacing `${P}` in the whole template's JSON text, one parameter with a value
after another, and parsing the result. `references.form` keeps every default that breaks such text away from `${P}`; but
a VM may hold the text `${P}` itself, in cloud-init say, where the processor never looks and the console does. That is
harmless while P's default is (a common script says `${HOSTNAME}`, and nothing crashes). Where it may not be, no text
keeps a reference: its dollars go by their JSON escape, which only the processor decodes. The validations that rule 12
copies are JSON themselves, so they mean the same with that escape.
"""

import re
from collections.abc import KeysView
from typing import Any, Final

import orjson

from atmpl.template import go_json
from atmpl.template.errors import RenderError
from atmpl.template.references import breaks_console, quoted
from atmpl.template.rules import COPIED_ANNOTATIONS

_REFERENCE: Final = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")
_WITHIN: Final = re.compile(r"\$\{?[a-zA-Z0-9_]*\$\{([a-zA-Z0-9_]+)\}")  # what replaces it may complete a reference


def protect(template: dict[str, Any], parameters: list[dict[str, Any]]) -> None:
    """Change `template` and its `parameters`, which are parts of it, so that the console cannot crash on them.

    Raises RenderError where the VM's name or labels would have to change; no cluster has such names and labels.
    """
    metadata: dict[str, Any] = template.get("metadata", {})
    fixed = orjson.dumps(metadata).decode()
    suspects = [parameter for parameter in parameters if "${" in parameter.get("value", "")]
    if not suspects and "${" not in fixed:
        return
    values = {parameter["name"]: parameter["value"] for parameter in parameters if parameter.get("value")}
    said = {*_REFERENCE.findall(fixed)}.union(*(_REFERENCE.findall(parameter["value"]) for parameter in suspects))
    if said.isdisjoint(values) or not any(map(breaks_console, values.values())):
        return
    risky = {name for name in said & values.keys() if "$" in values[name] or breaks_console(values[name])}
    if not any(
        _may_break(text, values.keys(), risky) for text in (fixed, *(parameter["value"] for parameter in suspects))
    ):
        return
    escaped: dict[str, str] = {}  # the reference that it was: the one that is decoded
    for parameter in suspects:
        name, text = parameter["name"], parameter["value"]
        if not values.keys().isdisjoint(_REFERENCE.findall(text)):
            parameter["value"] = _escaped(text if _is_surely_json(text) else quoted(text))
            escaped[f"${{{name}}}"] = f"${{{{{name}}}}}"
    annotations = metadata.get("annotations", {})
    for copied in annotations.keys() & COPIED_ANNOTATIONS:
        if not values.keys().isdisjoint(_REFERENCE.findall(annotations[copied])):
            annotations[copied] = _escaped(annotations[copied])
    if not values.keys().isdisjoint(_REFERENCE.findall(orjson.dumps(metadata).decode())):
        raise RenderError("metadata", "its name or a label holds a ${...} that is a parameter's; rename it")
    for field, value in template.items():
        if field == "labels":  # a string map, where nothing is decoded
            _refuse(value, escaped)
        else:
            template[field] = _decoded(value, escaped)


def _escaped(json: str) -> str:
    """Return JSON that is the same and has no dollar: one stands only in its strings."""
    return json.replace("$", "\\u0024")


def _is_surely_json(text: str) -> bool:
    """Return whether a default that holds a reference goes by `${{P}}` as JSON already.

    Where `references.is_json` is in doubt, rule 3 has made a JSON string of the text, unless no quote is in it.
    """
    try:
        go_json.decode(text)
    except ValueError:  # ProcessError is one: too deep to be told, so no JSON string
        return False
    return True


def _may_break(text: str, names: KeysView[str], risky: set[str]) -> bool:
    """Return whether replacing the references in `text` may bring a default there that breaks JSON text.

    `risky` are the parameters whose default does, or may begin another reference.
    """
    return not risky.isdisjoint(_REFERENCE.findall(text)) or not names.isdisjoint(_WITHIN.findall(text))


def _refuse(labels: dict[str, str], escaped: dict[str, str]) -> None:
    texts = {*labels, *labels.values()}
    if any(plain in texts or whole in texts for plain, whole in escaped.items()):
        raise RenderError("metadata.labels", "a label holds a ${...} that is a parameter's; rename it")


def _decoded(value: Any, escaped: dict[str, str]) -> Any:
    """Return `value` with each reference in `escaped` as the one that is decoded."""
    if isinstance(value, str):
        return escaped.get(value, value)
    if isinstance(value, list):
        return [_decoded(item, escaped) for item in value]
    if isinstance(value, dict):
        return {escaped.get(key, key): _decoded(item, escaped) for key, item in value.items()}
    return value
