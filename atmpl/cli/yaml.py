"""YAML as Kubernetes uses it: PyYAML, with the scalars of sigs.k8s.io/yaml.

Text is read as kubectl and the API server read it: YAML 1.1 without sexagesimals (a MAC address is a string) and
without dates, converted to JSON (1e3 is the integer 1000). Sources: resolve.go and decode.go of go.yaml.in/yaml/v2,
yaml.go of sigs.k8s.io/yaml v1.6.0. Text is written so that readers of YAML 1.1 and of YAML 1.2 agree on each value.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import ConstructorError

Scalar = str | int | float | bool | None

MAX_DEPTH = 250  # levels of nesting; a Kubernetes object has fewer than 50
TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"

_TAG = "tag:yaml.org,2002:"
_STR, _MERGE, _PLAIN = f"{_TAG}str", f"{_TAG}merge", "!plain"
_TYPES: dict[str, tuple[type, ...]] = {  # an explicit tag, and the types that its text may have
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}null": (type(None),),
}

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX](?P<x16>[0-9a-fA-F]+)|0[bB](?P<x2>[01]+)|0[oO]?(?P<x8>[0-7]+)|(?P<x10>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")  # a number that begins with a point
_MAX_DIGITS = 64  # of an integer: 64 bits in binary
_SIGNED, _UNSIGNED = range(-(2**63), 2**63), range(2**64)

_QUOTED_WORDS = frozenset(  # in lower case: not a string to some reader of YAML 1.1, YAML 1.2 or Go
    ["", "~", "=", "<<", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "+.inf", "-.inf"]
)
_NUMBER = re.compile(  # numbers and dates of the same readers, in lower case, without underscores (Go ignores them)
    r"[-+]*0[xob][-+]?[0-9a-f]+"
    r"|(?=.*[0-9])[-+]*[0-9]*\.?[0-9]*(?:e[-+]?[0-9]+)?"
    r"|[-+]?[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?"  # sexagesimal: 1:20 is 80 in YAML 1.1
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t ].*)?"
)
_NUMBER_STARTS = frozenset("+-._e0123456789")
_INVISIBLE = {  # written as escapes: line and paragraph separators, marks of direction, the byte order mark
    code: f"\\u{code:04X}" for code in (0xFEFF, *range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}
_UNPRINTABLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{''.join(map(chr, _INVISIBLE))}]")

_PLAINER = {  # libyaml's message: what to change
    "found character that cannot start any token": "no tab, @ or ` can begin a value; use spaces to indent, or quotes",
    "mapping values are not allowed in this context": "two `: ` in a line (quote the text), or an indent too deep",
    "could not find expected ':'": "a key without its `:`",
    "did not find expected key": "the indent of this line fits neither a key nor the line above",
    "did not find expected <document start>": "another document begins here without a --- before it",
    "did not find expected node content": "a value is missing here, or the end of a { or [ above",
    "found unexpected end of stream": "the quote opened here is never closed",
    "did not find expected ',' or ']'": "the list opened here lacks a `,` or its `]`",
    "exceeded maximum nesting depth": TOO_DEEP,  # libyaml 0.2.6, beyond 1,000 levels
    "did not find expected ',' or '}'": "the mapping opened here lacks a `,` or its `}`",
}


class InvalidYAMLError(ValueError):
    """The text is not YAML that a Kubernetes object could be read from. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def read(text: str, first_line: int = 1) -> Iterator[Any]:
    """Yield the value of each document of `text`: dicts with string keys, lists, strings, numbers, booleans, None.

    `first_line` is the line that `text` begins on, for errors. Values that came by an alias are the same object, so the
    caller must not change them. Raises InvalidYAMLError.
    """
    try:
        loader = _Loader(text)
        while loader.check_data():
            yield loader.get_data()
    except yaml.MarkedYAMLError as error:
        reason, mark = error.problem or "this is not YAML", error.problem_mark
        if error.context_mark and ("end of stream" in reason or "expected ','" in reason):
            mark = error.context_mark  # the place where it was opened helps more than the end of the file
        raise InvalidYAMLError(first_line + (mark.line if mark else 0), _PLAINER.get(reason, reason)) from None
    except yaml.reader.ReaderError as error:
        raise _invalid_character(chr(error.character), text, first_line) from None
    except UnicodeEncodeError as error:
        raise _invalid_character(text[error.start], text, first_line) from None


def write(value: Any) -> str:
    """Return `value` (dicts, lists, strings, numbers, booleans, None) as one YAML document that ends with a newline.

    Raises UnicodeEncodeError if a string holds half of a surrogate pair.
    """
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31 - 1, default_flow_style=False
    )
    # Every string with an invisible character is in double quotes, so the escape is right at each place.
    text = text[:-4] if text.endswith("\n...\n") else text  # libyaml ends some documents with a marker
    return text.translate(_INVISIBLE)


class _Composer(Composer):
    """PyYAML's composer with the limits of go-yaml: on depth, and on the growth by aliases."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = self._aliased = 0  # values, each alias with its full size; those from aliases

    def compose_node(self: Any, parent: Any, index: Any) -> Any:  # noqa: ARG002 - PyYAML's signature
        if parent is None:
            self._count = self._aliased = 0
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            return self._alias(self.get_event())
        if self._depth > MAX_DEPTH:
            raise _error(TOO_DEEP, event)
        before = self._count
        self._count += 1
        self._depth += 1
        if isinstance(event, yaml.ScalarEvent):
            if event.tag == "!":
                event.tag = _STR
            node = self.compose_scalar_node(event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.compose_sequence_node(event.anchor)
        else:
            node = self.compose_mapping_node(event.anchor)
        self._depth -= 1
        node.size = self._count - before
        return node

    def _alias(self: Any, event: Any) -> Any:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise _error(f"there is no &{event.anchor} before this *{event.anchor}", event)
        if not hasattr(node, "size"):
            raise _error(f"the alias *{event.anchor} is inside its own value", event)
        self._count += 1 + node.size
        self._aliased += node.size
        share = min(0.99, max(0.10, 0.99 - 0.89 * (self._count - 400_000) / 3_600_000))  # decode.go
        if self._aliased > 100 and self._count > 1000 and self._aliased > self._count * share:
            raise _error("aliases make this document too large", event)
        if node.tag == _MERGE:  # by an alias, << is an ordinary key
            return yaml.ScalarNode(_STR, node.value, node.start_mark, node.end_mark)
        return node


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Composer, _Base):  # type: ignore[misc] # chosen above
    """libyaml's parser, the composer above, and the values of sigs.k8s.io/yaml."""

    def __init__(self, text: str) -> None:
        _Base.__init__(self, text)
        _Composer.__init__(self)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is not yaml.ScalarNode or not implicit[0]:
            return f"{_TAG}{ {yaml.ScalarNode: 'str', yaml.SequenceNode: 'seq', yaml.MappingNode: 'map'}[kind] }"
        return _MERGE if value == "<<" else _PLAIN

    def construct_any(self, node: Any) -> Any:
        """Return the value of `node`; of a collection, a generator as PyYAML's constructors return it."""
        if isinstance(node, yaml.ScalarNode):
            try:
                return _to_json(_scalar_of(node))
            except ValueError as error:
                raise _error(str(error), node) from None
        return self._list(node) if isinstance(node, yaml.SequenceNode) else self._dict(node)

    def _list(self, node: Any) -> Iterator[list[Any]]:
        items: list[Any] = []
        yield items
        items += [self.construct_object(item) for item in node.value]

    def _dict(self, node: Any) -> Iterator[dict[str, Any]]:
        fields: dict[str, Any] = {}
        yield fields
        self._fill(fields, node)

    def _fill(self, fields: dict[str, Any], node: Any) -> None:
        """Set the fields of a mapping in their order, so that the later one wins between a key and a merge."""
        own: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for part in reversed(merged):  # the first one wins
                    if not isinstance(part, yaml.MappingNode):
                        raise _error("only a mapping or a list of mappings can follow `<<:`", value_node)
                    self._fill(fields, part)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise _error("a key must be a string, not a mapping or a list", key_node)
            try:
                key = _to_key(_scalar_of(key_node))
            except ValueError as error:
                raise _error(str(error), key_node) from None
            if key in own:
                raise _error(f"the key {key} occurs twice", key_node)
            own.add(key)
            fields[key] = self.construct_object(value_node)


_Loader.yaml_constructors = {None: _Loader.construct_any}
_Loader.yaml_multi_constructors = {}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # libyaml is optional
    """PyYAML's dumper, without aliases and with quotes wherever some reader needs them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def represent_text(self, text: str) -> Any:
        """Represent a string: a block if it has several lines, quoted if a reader would take it for another type."""
        if _UNPRINTABLE.search(text) or _is_ambiguous(text) or (text and not text.strip()):
            return self.represent_scalar(_STR, text, style='"')
        return self.represent_scalar(_STR, text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _is_ambiguous(text: str) -> bool:
    lower = text.lower()
    return lower in _QUOTED_WORDS or (
        lower[0] in _NUMBER_STARTS and _NUMBER.fullmatch(lower.replace("_", "")) is not None
    )


def _error(reason: str, place: Any) -> ConstructorError:
    return ConstructorError(None, None, reason, place.start_mark)


def _invalid_character(character: str, text: str, first_line: int) -> InvalidYAMLError:
    line = first_line + text.count("\n", 0, text.index(character))
    return InvalidYAMLError(line, f"the character U+{ord(character):04X} is not allowed in YAML; remove it")


def _scalar_of(node: Any) -> Scalar:
    """Return the value of a scalar node. Raises ValueError if its tag and its text contradict each other."""
    tag, text = node.tag, str(node.value)
    if tag == _PLAIN:
        return _resolve(text)
    if tag == f"{_TAG}binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise ValueError("the text after !!binary is not base64") from None
    if tag not in _TYPES:
        return text
    value = _resolve(text)
    if type(value) not in _TYPES[tag]:
        raise ValueError(f"`{text}` is not of type !!{tag.removeprefix(_TAG)}")
    return value


def _resolve(text: str) -> Scalar:
    """Return the value of a plain scalar; a float may be infinite or NaN."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if text[0] != "." and (integer := _integer(digits)) is not None:
        return integer
    if not (_FRACTION.fullmatch(text) if text[0] == "." else _FLOAT.fullmatch(digits)):
        return text
    number = float(digits)
    return text if math.isinf(number) else number


def _integer(digits: str) -> int | None:
    """Return the integer that `digits` is. None if it is not one, or one beyond 64 bits."""
    match = _INTEGER.fullmatch(digits)
    if match is None:
        return None
    base = match.lastgroup or ""
    significant = match[base].lstrip("0") or "0"
    if len(significant) > _MAX_DIGITS:
        return None
    number = int(f"{match[1]}{significant}", int(base[1:]))
    return number if number in (_SIGNED if match[1] else _UNSIGNED) else None


def _to_json(value: Scalar) -> Scalar:
    """Return `value` as it is after a conversion to JSON and back. Raises ValueError if JSON has no such value."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ValueError("a Kubernetes object cannot hold an infinity or a NaN; quote the text")
    if not value.is_integer() or int(value) not in _SIGNED:
        return value
    return int(value) if abs(value) < 2**53 else int(Decimal(repr(value)))  # JSON has the shortest digits, then zeros


def _to_key(value: Scalar) -> str:
    """Return the key of a JSON object that `value` becomes. Raises ValueError if it cannot be one."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value in _SIGNED:
            return str(value)
        case float():
            return _shortest_float32(value)
        case _:
            raise ValueError("a key must be a string; put quotes around it")


def _shortest_float32(number: float) -> str:
    """Return `number` as Go's FormatFloat(number, 'g', -1, 32) prints it: sigs.k8s.io/yaml writes float keys so."""
    if math.isnan(number):
        return ".nan"
    try:
        single = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        single = math.copysign(math.inf, number)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    for decimals in range(9):
        text = f"{single:.{decimals}e}"
        if struct.pack("f", float(text)) == struct.pack("f", single):
            break
    exponent = int(text.partition("e")[2])
    return f"{single:.{max(decimals - exponent, 0)}f}" if -4 <= exponent < 6 else text
