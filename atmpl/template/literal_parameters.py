"""Text that stays literal (rule 11) although a processor would substitute in it. Rule 4."""

from math import isfinite
from types import NoneType
from typing import Any, Final

from atmpl.template.errors import MAX_STORED_BYTES, RenderError, TemplateTooLargeError
from atmpl.template.json_path import Path
from atmpl.template.references import EncodedValue, breaks_console, holds_reference, typed_reference
from atmpl.template.validation import MAX_DEPTH, MAX_VALUES, first_error, validation_error

_CONSTANTS: Final = frozenset((NoneType, bool, int))


class _InvalidError(Exception):
    """A value that no template can carry."""


class Literals:
    """The parameters LITERAL<n> of one template. They carry literal text that holds a reference.

    `size` is a lower bound of the template's stored bytes so far, and is also increased by the code that adds
    parameters.
    """

    def __init__(self) -> None:
        self.parameters: list[dict[str, Any]] = []
        self.size = 0
        self.values = 0  # scalars, objects and lists that were copied
        self.inside_text: set[str] = set()  # names of the parameters that are only part of a text
        self._next = 0
        self._references: dict[str, str] = {}  # a reference inside a text: the reference that carries it

    def grow(self, size: int) -> None:
        """Add `size` to the stored bytes. Raises TemplateTooLargeError if the limit is exceeded."""
        self.size += size
        if self.size > MAX_STORED_BYTES:
            raise TemplateTooLargeError

    def enter(self, container: dict[str, Any] | list[Any], item_bytes: int) -> None:
        """Count the values of an object or list, each of at least `item_bytes`. Raises RenderError beyond a limit."""
        self.grow(item_bytes * len(container))
        self.values += len(container)
        if self.values > MAX_VALUES:
            raise RenderError(
                "spec", f"has more than {MAX_VALUES:,} values; remove some, or use fewer and longer texts"
            )

    def copy(self, value: Any, path: Path) -> Any:
        """Return a copy of the literal `value`, which is at `path` in the VM. Raises RenderError."""
        try:
            return self._copy(value, MAX_DEPTH - len(path))
        except _InvalidError:
            raise first_error(value, path) or validation_error(path, value) from None

    def _copy(self, value: Any, levels: int) -> Any:
        """Copy without a path, which only an error needs: a VM can have 300,000 literal values."""
        kind = type(value)
        if kind is str:
            self.size += len(value)
            return self.value(value)
        if kind is dict:
            if levels <= 0:
                raise _InvalidError
            self.enter(value, 5)  # `"":0,` is the shortest entry
            return {
                self.key(key, value) if "${" in key else key: item
                if type(item) in _CONSTANTS
                else self._copy(item, levels - 1)
                for key, item in value.items()
            }
        if kind is list:
            if levels <= 0:
                raise _InvalidError
            self.enter(value, 2)
            return [item if type(item) in _CONSTANTS else self._copy(item, levels - 1) for item in value]
        if kind in _CONSTANTS or (kind is float and isfinite(value)):
            return value
        raise _InvalidError

    def value(self, text: str) -> str:
        """Return `text`, or the reference that carries it, for a place where the processor decodes `${{P}}`."""
        if "${" in text and holds_reference(text):
            return self._carry(typed_reference(text))
        return text

    def key(self, key: str, siblings: dict[str, Any]) -> str:
        """Return the map key `key`, or a reference that is not equal to another key in `siblings`.

        The processor replaces the keys of a map one after another, so a reference equal to another key would overwrite
        its value.
        """
        if not holds_reference(key):
            return key
        return self._carry(typed_reference(key) if breaks_console(key) else EncodedValue(False, key), siblings)

    def label(self, text: str) -> str:
        """Return `text`, or the reference that carries it, for a map of strings, where `${{P}}` is not decoded."""
        if not holds_reference(text):
            return text
        return self._carry(EncodedValue(breaks_console(text), text))

    def inside(self, reference: str) -> str:
        """Return the `${LITERAL<n>}` that carries `reference` inside a longer text, one for each distinct reference."""
        if reference not in self._references:
            carrier = self._carry(EncodedValue(False, reference))
            self._references[reference] = carrier
            self.inside_text.add(carrier[2:-1])
        return self._references[reference]

    def save(self) -> tuple[int, int, dict[str, str], set[str], int]:
        """Return the state that `restore` takes."""
        return len(self.parameters), self._next, dict(self._references), set(self.inside_text), self.size

    def restore(self, state: tuple[int, int, dict[str, str], set[str], int]) -> None:
        """Forget the parameters since `save`."""
        count, self._next, self._references, self.inside_text, self.size = state
        del self.parameters[count:]

    def _carry(self, encoded: EncodedValue, siblings: dict[str, Any] | None = None) -> str:
        number = self._next
        while siblings and (f"${{LITERAL{number}}}" in siblings or f"${{{{LITERAL{number}}}}}" in siblings):
            number += 1
        self._next = number + 1
        name = f"LITERAL{number}"
        typed, text = encoded.typed, encoded.text
        self.grow(len(text))
        self.parameters.append(
            {
                "name": name,
                "displayName": f"Literal {number}",
                "description": f"literal{number}: text of the source VM that looks like a reference; do not change it",
                "value": text,
            }
        )
        return f"${{{{{name}}}}}" if typed else f"${{{name}}}"
