"""The OpenShift console's processing of a template for display: kubevirt-plugin's `poorManProcess` in Python."""

import json
import re
from typing import Any

_PATTERN = re.compile(r"\$([$&`'])")


def shown(template: dict[str, Any]) -> dict[str, Any]:
    """Return the template as the console shows it. Raises ValueError where the console crashes."""
    text = json.dumps(template, ensure_ascii=False, separators=(",", ":"))
    for parameter in template.get("parameters", []):
        if parameter.get("value"):
            text = _replace_all(text, f"${{{parameter['name']}}}", parameter["value"])
    result: dict[str, Any] = json.loads(text)
    return result


def _replace_all(text: str, what: str, by: str) -> str:
    """Return what JavaScript's `text.replaceAll(what, by)` does, its patterns `$$`, `$&`, "$`" and "$'" included."""
    out = []
    at = 0
    while (found := text.find(what, at)) >= 0:
        after = found + len(what)
        parts = {"$": "$", "&": what, "`": text[:found], "'": text[after:]}
        out += [text[at:found], _PATTERN.sub(lambda match, parts=parts: parts[match[1]], by)]
        at = after
    return "".join([*out, text[at:]])
