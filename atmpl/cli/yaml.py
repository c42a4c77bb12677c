"""YAML as Kubernetes uses it: PyYAML's parser, with the values of sigs.k8s.io/yaml.

Text is read as kubectl and the API server read it: YAML 1.1 without sexagesimals (a MAC address is a string) and
without dates, converted to JSON (1e3 is the integer 1000). Sources: resolve.go and decode.go of go.yaml.in/yaml/v2,
yaml.go of sigs.k8s.io/yaml v1.6.0. Text is written so that readers of YAML 1.1 and of YAML 1.2 agree on each value.
"""

import base64
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

Scalar = str | int | float | bool | None

MAX_DEPTH = 250  # levels of nesting; a Kubernetes object has fewer than 50
MAX_ALIASED = 1_000_000  # values that the aliases of a document stand for; etcd stores fewer in an object (1.5 MiB)

_TAG = "tag:yaml.org,2002:"
# The types that the text of a tag can have.
_TYPES: dict[str, set[type]] = {"bool": {bool}, "int": {int}, "float": {float, int}, "null": {type(None)}}
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"), math.nan),  # JSON has neither
    **dict.fromkeys(("+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"), math.nan),
}
_INTEGER = re.compile(r"[-+]?(?:(?P<octal>0[oO]?[0-7]+)|0|[1-9][0-9]*|0[xX][0-9a-fA-F]+|0[bB][01]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SIGNED, _UNSIGNED = range(-(2**63), 2**63), range(2**64)

# Not a string to some reader of YAML 1.1, YAML 1.2 or Go. Underscores are removed before: Go ignores them in numbers.
_AMBIGUOUS = re.compile(
    r"~|=|<<|null|true|false|yes|no|on|off|y|n|[-+]?\.(?:inf|nan)"
    r"|[-+]*0[xob][-+]?[0-9a-f]+"
    r"|(?=.*[0-9])[-+]*[0-9]*\.?[0-9]*(?:e[-+]?[0-9]+)?"
    r"|[-+]?[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?"  # sexagesimal: 1:20 is 80 in YAML 1.1
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t ].*)?",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\ufeff\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # written as escapes
_UNPRINTABLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f]|{_INVISIBLE.pattern}")

_PLAINER = {  # libyaml's message: what to change
    "found character that cannot start any token": "no tab, @ or ` can begin a value; use spaces to indent, or quotes",
    "mapping values are not allowed in this context": "two `: ` in a line (quote the text), or an indent too deep",
    "could not find expected ':'": "a key without its `:`",
    "did not find expected key": "the indent of this line fits neither a key nor the line above",
    "did not find expected <document start>": "another document begins here without a --- before it",
    "did not find expected node content": "a value is missing here, or the end of a { or [ above",
    "found unexpected end of stream": "the quote opened here is never closed",
    "did not find expected ',' or ']'": "the list opened here lacks a `,` or its `]`",
    "did not find expected ',' or '}'": "the mapping opened here lacks a `,` or its `}`",
    "exceeded maximum nesting depth": f"nested more than {MAX_DEPTH} levels deep",  # libyaml 0.2.6, beyond 1,000 levels
}


class InvalidYAMLError(ValueError):
    """The text is not YAML that a Kubernetes object could be read from. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


def read(text: str, first_line: int = 1) -> Iterator[Any]:
    """Yield the value of each document of `text`: dicts with string keys, lists, strings, numbers, booleans, None.

    `first_line` is the line that `text` begins on, for errors. Values that came by an alias are the same object, so the
    caller must not change them. Raises InvalidYAMLError.
    """
    if illegal := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = first_line + text.count("\n", 0, illegal.start())
        raise InvalidYAMLError(line, f"the character U+{ord(illegal[0]):04X} is not allowed in YAML; remove it")
    try:
        yield from _Documents(text)
    except yaml.MarkedYAMLError as error:
        reason, mark = error.problem or "this is not YAML", error.problem_mark
        if error.context_mark and ("end of stream" in reason or "expected ','" in reason):
            mark = error.context_mark  # the place where it was opened helps more than the end of the file
        raise InvalidYAMLError(first_line + (mark.line if mark else 0), _PLAINER.get(reason, reason)) from None


def write(value: Any) -> str:
    """Return `value` (dicts, lists, strings, numbers, booleans, None) as one YAML document that ends with a newline.

    Raises UnicodeEncodeError if a string holds half of a surrogate pair.
    """
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31 - 1)
    text = text[:-4] if text.endswith("\n...\n") else text  # libyaml ends some documents with a marker
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04X}", text)  # in double quotes, by represent_text


class _Documents:
    """The documents of a stream, built from PyYAML's events."""

    def __init__(self, text: str) -> None:
        self._events: Any = yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))

    def __iter__(self) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors: dict[
                    str | None, list[Any]
                ] = {}  # a value and its size; empty until the value is complete
                self._size = self._aliased = 0  # values so far, and those of them that came by aliases
                value = self._value(next(self._events), 0)
                next(self._events)  # the end of the document: an error before it makes the value invalid
                yield value

    def _value(self, event: Any, depth: int, *, is_key: bool = False) -> Any:
        """Return the value that begins with `event`, as JSON has it; a float of a key stays one."""
        if depth > MAX_DEPTH:
            raise _error(f"nested more than {MAX_DEPTH} levels deep", event)
        if isinstance(event, yaml.AliasEvent):
            value = self._alias(event)
        else:
            before = self._size
            self._size += 1
            anchored = self._anchors[event.anchor] = []  # the key is None without an anchor, which no alias names
            if isinstance(event, yaml.ScalarEvent):
                value = _scalar(event)
            elif isinstance(event, yaml.SequenceStartEvent):
                value = [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
            else:
                value = self._mapping(depth + 1)
            anchored += [value, self._size - before]
        if is_key or not isinstance(value, float):
            return value
        if math.isnan(value):
            raise _error("a Kubernetes object cannot hold an infinity or a NaN; quote the text", event)
        # JSON has the shortest digits that give the number, then zeros.
        return int(Decimal(repr(value))) if value.is_integer() and abs(value) < 2**63 else value

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _mapping(self, depth: int) -> dict[str, Any]:
        """Return the fields of a mapping in their order, so that the later one wins between a key and a merge."""
        fields: dict[str, Any] = {}
        keys: set[str] = set()
        for event in self._until(yaml.MappingEndEvent):
            key = self._value(event, depth, is_key=True)
            value = self._value(next(self._events), depth)
            tag = getattr(event, "tag", "")  # None if there is none; an alias of << is an ordinary key
            if key == "<<" and (event.implicit[0] if tag is None else tag == f"{_TAG}merge"):
                for part in reversed(value if isinstance(value, list) else [value]):  # the first one wins
                    if not isinstance(part, dict):
                        raise _error("only a mapping or a list of mappings can follow `<<:`", event)
                    fields.update(part)
                continue
            if isinstance(key, int) and key in _SIGNED:
                key = str(key).lower()  # of a boolean too
            if not isinstance(key, str):
                raise _error("a key must be a string; put quotes around it", event)
            if key in keys:
                raise _error(f"the key {key} occurs twice", event)
            keys.add(key)
            fields[key] = value
        return fields

    def _alias(self, event: Any) -> Any:
        anchored = self._anchors.get(event.anchor)
        if not anchored:
            raise _error(f"there is no complete &{event.anchor} before this *{event.anchor}", event)
        value, size = anchored
        self._size += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise _error("aliases make this document too large", event)
        return value


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # libyaml is optional
    """PyYAML's dumper, without aliases and with quotes wherever some reader needs them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def represent_text(self, text: str) -> Any:
        """Represent a string: a block if it has several lines, quoted if a reader would take it for another type."""
        ambiguous = not text.strip() or _AMBIGUOUS.fullmatch(text.replace("_", "")) or _UNPRINTABLE.search(text)
        return self.represent_scalar(f"{_TAG}str", text, style='"' if ambiguous else "|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _error(reason: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=event.start_mark)


def _scalar(event: Any) -> Scalar:
    """Return the value of a scalar; NaN if it is NaN or an infinity."""
    text: str = event.value
    if event.tag is None:
        return _resolve(text) if event.implicit[0] else text
    tag = event.tag.removeprefix(_TAG)
    if tag == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except ValueError:
            raise _error("the text after !!binary is not base64", event) from None
    value = _resolve(text) if tag in _TYPES else text
    if tag in _TYPES and type(value) not in _TYPES[tag]:
        raise _error(f"`{text}` is not of type !!{tag}", event)
    return value


def _resolve(text: str) -> Scalar:
    """Return the value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    try:
        if match := _INTEGER.fullmatch(digits):
            integer = int(digits, 8 if match["octal"] else 0)
            if integer in (_SIGNED if digits[0] in "+-" else _UNSIGNED):
                return integer
        if _FLOAT.fullmatch(digits) and math.isfinite(number := float(text if text[0] == "." else digits)):
            return number
    except ValueError:  # more digits than int() accepts, or Go accepts no underscore at that place
        pass
    return text
