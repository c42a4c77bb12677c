"""Text that stays literal (rule 11), though a processor would substitute in it. Rule 4."""

from math import isfinite
from typing import Any

from atmpl.template.json_path import Path
from atmpl.template.references import Form, breaks_console, holds_reference, whole
from atmpl.template.validation import MAX_DEPTH, refusal


class Literals:
    """The parameters LITERAL<n> of one template, which carry literal text that holds a reference."""

    def __init__(self) -> None:
        self.parameters: list[dict[str, Any]] = []
        self._next = 0

    def copy(self, value: Any, path: Path) -> Any:
        """Return a copy of the literal `value`, which stands at `path` in the VM. Raises RenderError."""
        kind = type(value)
        if kind is str:
            return self.value(value)
        if kind is dict:
            if len(path) >= MAX_DEPTH:
                raise refusal(path, value)
            return {
                self.key(key, value) if "${" in key else key: self.copy(item, (*path, key))
                for key, item in value.items()
            }
        if kind is list:
            if len(path) >= MAX_DEPTH:
                raise refusal(path, value)
            return [self.copy(item, (*path, index)) for index, item in enumerate(value)]
        if value is None or kind is bool or kind is int or (kind is float and isfinite(value)):
            return value
        raise refusal(path, value)

    def value(self, text: str) -> str:
        """Return what stands for `text` where the processor decodes `${{P}}`: itself, or a reference."""
        if "${" in text and holds_reference(text):
            return self._carry(whole(text))
        return text

    def key(self, key: str, siblings: dict[str, Any]) -> str:
        """Return what stands for the map key `key` among `siblings`: itself, or a reference that is none of them.

        (The processor replaces a map's keys one after another, so a reference equal to another key would overwrite it.)
        """
        if not holds_reference(key):
            return key
        return self._carry(whole(key) if breaks_console(key) else (False, key), siblings)

    def label(self, text: str) -> str:
        """Return what stands for `text` in a string map, where `${{P}}` is not decoded."""
        if not holds_reference(text):
            return text
        return self._carry((breaks_console(text), text))

    def _carry(self, form: Form, siblings: dict[str, Any] | None = None) -> str:
        number = self._next
        while siblings and (f"${{LITERAL{number}}}" in siblings or f"${{{{LITERAL{number}}}}}" in siblings):
            number += 1
        self._next = number + 1
        name = f"LITERAL{number}"
        by_whole, text = form
        self.parameters.append(
            {
                "name": name,
                "displayName": f"Literal {number}",
                "description": f"literal{number}: text of the source VM that looks like a reference; leave it as it is",
                "value": text,
            }
        )
        return f"${{{{{name}}}}}" if by_whole else f"${{{name}}}"
