"""The value of one YAML document, put together from its events as go.yaml.in/yaml/v2 does it.

Merge keys act in the order they stand in, as there: what comes later wins. Without recursion, so that no document is
nested too deep for the process.
"""

import base64
import binascii
from typing import Any, Final

import yaml

from atmpl.cli.yaml.scalars import Scalar, as_json, as_key, resolve

MOST_LEVELS = 500  # of nesting; no Kubernetes object comes near
TOO_DEEP = f"nested more than {MOST_LEVELS} levels deep"

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_KINDS: dict[str, tuple[type, ...]] = {  # an explicit tag: what its text must resolve to
    _TAG + "bool": (bool,),
    _TAG + "int": (int,),
    _TAG + "float": (float, int),
    _TAG + "null": (type(None),),
}


class MisplacedError(ValueError):
    """Something has no place in a Kubernetes object. `line` counts from 0, in the text that libyaml was given."""

    def __init__(self, event: yaml.Event, why: str) -> None:
        super().__init__(why)
        self.line: int = event.start_mark.line if event.start_mark else 0
        self.why = why


class _Mark:
    """A value like no other."""


_NO_KEY: Final = _Mark()  # a mapping waits for its next key
_MERGE_KEY: Final = _Mark()  # a mapping waits for what it is merged with


class _Frame:
    """A collection whose end has not come. `count` is what was built before it; `merged` holds keys got by a merge."""

    __slots__ = ("anchor", "count", "key", "merged", "value")

    def __init__(self, value: Any, anchor: str | None, count: int) -> None:
        self.value = value  # a dict or a list
        self.anchor = anchor
        self.count = count
        self.key: str | _Mark = _NO_KEY
        self.merged: set[str] = set()


class Builder:
    """Takes the events of one document; `value` is then its value."""

    def __init__(self) -> None:
        self.value: Any = None
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}  # name: value (its frame, until complete), and its full size
        self._count = 0  # values built, each alias counted at its full size
        self._aliased = 0  # of these, those that came by an alias

    def take(self, event: yaml.Event | None) -> None:
        """Take the next event. Raises MisplacedError."""
        match event:
            case yaml.ScalarEvent():
                self._count += 1
                self._take_scalar(event)
            case yaml.MappingStartEvent():
                self._start(event, {})
            case yaml.SequenceStartEvent():
                self._start(event, [])
            case yaml.CollectionEndEvent():
                frame = self._open.pop()
                if frame.anchor is not None and self._anchors[frame.anchor][0] is frame:  # not given again meanwhile
                    self._anchors[frame.anchor] = frame.value, self._count - frame.count
                self._put(frame.value, event)
            case yaml.AliasEvent():
                self._take_alias(event)

    def _start(self, event: yaml.CollectionStartEvent, value: dict[str, Any] | list[Any]) -> None:
        if len(self._open) == MOST_LEVELS:
            raise MisplacedError(event, TOO_DEEP)
        frame = _Frame(value, event.anchor, self._count)
        self._count += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = frame, 0
        self._open.append(frame)

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        if self._waits_for_key() and event.value == "<<" and (event.implicit[0] or event.tag == _MERGE):
            self._open[-1].key = _MERGE_KEY
            return
        value = _scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, 1
        self._put(value, event)

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        value, size = self._anchors.get(event.anchor or "", (_NO_KEY, 0))
        if value is _NO_KEY:
            raise MisplacedError(event, f"there is no &{event.anchor} before this *{event.anchor}")
        if isinstance(value, _Frame):
            raise MisplacedError(event, f"the alias *{event.anchor} stands inside of itself")
        self._count += 1 + size
        self._aliased += size
        if self._aliased > 100 and self._count > 1000 and self._aliased > self._count * _share(self._count):
            raise MisplacedError(event, "aliases blow this document up beyond measure")
        self._put(value, event)

    def _waits_for_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is _NO_KEY

    def _put(self, value: Any, event: yaml.Event) -> None:
        if not self._open:
            self.value = _json(value, event)
            return
        frame = self._open[-1]
        if isinstance(frame.value, list):
            frame.value.append(_json(value, event))
        elif frame.key is _NO_KEY:
            frame.key = self._key(frame, value, event)
        elif isinstance(frame.key, str):
            frame.value[frame.key] = _json(value, event)
            frame.key = _NO_KEY
        else:
            _merge(frame, value, event)
            frame.key = _NO_KEY

    def _key(self, frame: _Frame, value: Any, event: yaml.Event) -> str:
        if isinstance(value, (dict, list)):
            raise MisplacedError(event, "a key must be text, not a mapping or a list")
        try:
            key = as_key(value)
        except ValueError as error:
            raise MisplacedError(event, str(error)) from None
        if key in frame.value and key not in frame.merged:
            raise MisplacedError(event, f"the key {key} stands here a second time")
        return key


def _scalar(event: yaml.ScalarEvent) -> Scalar:
    tag, text = event.tag, event.value
    if tag is None:
        return resolve(text) if event.implicit[0] else text
    if tag == _TAG + "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise MisplacedError(event, "the text after !!binary is no base64") from None
    if tag not in _KINDS:
        return text
    value = resolve(text)
    if type(value) not in _KINDS[tag]:
        raise MisplacedError(event, f"`{text}` is no !!{tag.removeprefix(_TAG)}")
    return value


def _json(value: Any, event: yaml.Event) -> Any:
    try:
        return as_json(value)
    except ValueError as error:
        raise MisplacedError(event, str(error)) from None


def _merge(frame: _Frame, value: Any, event: yaml.Event) -> None:
    merged = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in merged):
        raise MisplacedError(event, "only a mapping, or a list of mappings, can follow `<<:`")
    for part in reversed(merged):  # of several, the first one wins
        frame.value.update(part)
        frame.merged.update(part)


def _share(count: int) -> float:
    """Return how much of a document of `count` values may have come by aliases. decode.go of go.yaml.in/yaml/v2."""
    return min(0.99, max(0.10, 0.99 - 0.89 * (count - 400_000) / 3_600_000))
