"""Objects in files and on standard input: one or many documents of YAML or JSON, each an object, an array or a List.

An input is split at its document markers first, so that one invalid document does not hide the others.
"""

import codecs
import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from atmpl.cli import terminal
from atmpl.cli.errors import CommandError
from atmpl.cli.parser import repeated
from atmpl.cli.yaml import InvalidYAMLError, read

STDIN = "-"
LIST_FIELDS = frozenset(("apiVersion", "kind", "metadata", "items"))

_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
_MARKER = re.compile(r"^(?:(?=---(?:\s|\Z))|\.\.\.(?=\s|\Z).*\n?)", re.MULTILINE)  # the input is cut at its end
_CONTENT = re.compile(r"^[ \t]*[^\s#%]", re.MULTILINE)  # a line that is neither a comment nor a directive


class Document(NamedTuple):
    """An object. `where` names it for the user: `fleet.yaml, document 2 (VirtualMachine web)`."""

    where: str
    value: Any


class InvalidDocument(NamedTuple):
    """A document that could not be read, and the reason."""

    where: str
    reason: str


class DirectoryError(CommandError):
    """A directory was named instead of a file."""


def display_name(path: str) -> str:
    """Return the name of the input `path` for messages."""
    return "standard input" if path == STDIN else path


def read_bytes(path: str) -> bytes:
    """Return the content of the file `path`, or of standard input. Raises CommandError that names it."""
    if path == STDIN:
        if sys.stdin is None:
            raise CommandError("standard input is closed; name a file")
        if sys.stdin.isatty():
            terminal.info("reading standard input; end it with Ctrl-D, or stop with Ctrl-C")
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib would slow every start down
            return file.read()
    except FileNotFoundError:
        raise CommandError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DirectoryError(f"{path}: this is a directory; name a file in it") from None
    except OSError as error:
        raise CommandError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:  # a NUL in the name
        raise CommandError(f"{path!r}: {error}") from None


def text(path: str) -> str:
    """Return the text of the file `path`, or of standard input. Raises CommandError that names it."""
    return decode(read_bytes(path), display_name(path))


def decode(data: bytes, where: str) -> str:
    """Return `data` as text: UTF-8, or UTF-16 with a byte order mark. Raises CommandError that begins with `where`."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{where}, line {line}: not valid UTF-8; save the file as UTF-8") from None


def documents(path: str) -> list[Document | InvalidDocument]:
    """Return the objects of the file `path`, or of standard input.

    The items of Lists and arrays are returned one by one, and empty documents left out, as kubectl does. Raises
    CommandError if the input cannot be read.
    """
    source = display_name(path)
    found = list(_values(text(path).replace("\n\ufeff", "\n")))  # files with byte order marks, joined together
    several = len(found) > 1
    result: list[Document | InvalidDocument] = []
    for number, each in enumerate(found, 1):
        place = f"{source}, document {number}" if several else source
        if isinstance(each, InvalidYAMLError):
            result.append(InvalidDocument(f"{place}, line {each.line}", each.reason))
        else:
            result += _objects(each, place, named=several)
    return result or [InvalidDocument(source, "no object found")]


def one_document(path: str) -> Document:
    """Return the only object of an input. Raises CommandError."""
    found = documents(path)
    if len(found) != 1:
        raise CommandError(f"{display_name(path)}: {len(found)} objects found; give one")
    [each] = found
    if isinstance(each, InvalidDocument):
        raise CommandError(f"{each.where}: {each.reason}")
    return each


def field_at(value: Any, *path: str | int) -> Any:
    """Return the value at a path, None if it does not exist."""
    for key in path:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and key < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def kind_of(value: Any) -> str:
    """Return the kind of an object, empty if it has none."""
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""


def describe_kind(value: Any) -> str:
    """Return a clause about the kind of an object, for messages."""
    if not isinstance(value, dict):
        return "this is not an object"
    kind = kind_of(value)
    return f"this is a {kind:.60}" if kind else "this is an object without a kind"


def name_of(value: Any) -> str:
    """Return the name of an object, empty if it has none."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _values(text: str) -> Iterator[Any | InvalidYAMLError]:
    """Yield the value of each document that is not empty, or the reason why it cannot be read."""
    values = _json_values(text) if text.lstrip()[:1] in ("{", "[") else None
    if values is not None:
        yield from values
        return
    for line, piece in _pieces(text):
        try:
            yield from (value for value in read(piece, line) if value is not None)
        except InvalidYAMLError as error:
            yield error


def _json_values(text: str) -> list[Any | InvalidYAMLError] | None:
    """Return the values of JSON text, None if it is not JSON."""
    values: list[Any | InvalidYAMLError] = []
    repeated_keys: list[str] = []

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            repeated_keys.extend(repeated(key for key, _ in pairs))
        return value

    decode = json.JSONDecoder(parse_constant=_reject, parse_float=_finite, object_pairs_hook=fields).raw_decode
    text = text.rstrip()
    at, line = 0, 1
    try:
        while at < len(text):
            while text[at].isspace():
                line += text[at] == "\n"
                at += 1
            value, end = decode(text, at)
            values.append(
                InvalidYAMLError(line, f"the key {repeated_keys[0]} occurs twice") if repeated_keys else value
            )
            repeated_keys.clear()
            line += text.count("\n", at, end)
            at = end
    except (ValueError, RecursionError):
        return None
    return values


def _reject(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits:.20} is beyond a double")
    return number


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield each document's text and its first line. What precedes a document belongs to it."""
    start, line = 0, 1
    for cut in (*(found.end() for found in _MARKER.finditer(text)), len(text)):
        piece = text[start:cut]
        if _CONTENT.search(piece):
            yield line, piece
            line += piece.count("\n")
            start = cut


def _objects(value: Any, place: str, *, named: bool) -> Iterator[Document | InvalidDocument]:
    """Yield `value`, or the objects of the List or the array that it is."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _objects(item, f"{place}, [{index}]", named=True)
        return
    kind = kind_of(value)
    if kind.endswith("List") and isinstance(value.get("items"), list):
        for field in value.keys() - LIST_FIELDS:
            yield InvalidDocument(
                f"{place} ({kind})", f"{field}: not a field of a list; check its indentation, or remove it"
            )
        identity = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
        for index, item in enumerate(value["items"]):
            typed = {**identity, **item} if isinstance(item, dict) and identity["kind"] else item
            yield from _objects(typed, f"{place}, items[{index}]", named=True)
        return
    name = name_of(value)
    yield Document(f"{place} ({kind} {name})" if named and kind and name else place, value)
