"""The objects in an input: one or many documents of YAML or JSON, each a single object or a List of them.

An input is cut at its markers first, so that a document that cannot be read does not take the others with it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from atmpl.cli import manifests
from atmpl.cli.yaml import InvalidYAMLError, read

_MARKER = re.compile(r"^(?:(?=---(?:\s|\Z))|\.\.\.(?=\s|\Z).*\n?)", re.MULTILINE)  # its end is where to cut
_CONTENT = re.compile(r"^[ \t]*[^\s#%]", re.MULTILINE)  # a line that is more than a comment or a directive


class Document(NamedTuple):
    """An object as it was given. `where` names it to a person: `fleet.yaml, document 2 (VirtualMachine web)`."""

    where: str
    value: Any


class Unreadable(NamedTuple):
    """Something that no object could be read from, and why."""

    where: str
    why: str


def documents(path: str) -> list[Document | Unreadable]:
    """Return the objects of the file `path`, or of standard input where it is `-`.

    Lists are taken apart, and empty documents left out, as kubectl does. Raises CommandError where there is no text.
    """
    source = manifests.shown(path)
    found = list(_found(manifests.text(path)))
    several = len(found) > 1
    out: list[Document | Unreadable] = []
    for number, each in enumerate(found, 1):
        place = f"{source}, document {number}" if several else source
        if isinstance(each, InvalidYAMLError):
            out.append(Unreadable(f"{place}, line {each.line}", each.reason))
        else:
            out += _objects(each, place, named=several)
    if not out:
        out.append(Unreadable(source, "there is no object in it"))
    return out


def _found(text: str) -> Iterator[Any | InvalidYAMLError]:
    """Yield the value of each document that has one, or why it cannot be read."""
    values = _json(text) if text.lstrip()[:1] in ("{", "[") else None
    if values is not None:
        yield from values
        return
    for line, piece in _pieces(text):
        try:
            yield from (value for value in read(piece, line) if value is not None)
        except InvalidYAMLError as error:
            yield error


def _json(text: str) -> list[Any] | None:
    """Return the values of JSON text, one after the other, or None where it is no JSON."""
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        pass
    values = []
    text = text.rstrip()
    at = 0
    try:
        while at < len(text):
            while text[at].isspace():
                at += 1
            value, at = _DECODER.raw_decode(text, at)
            values.append(value)
    except (ValueError, RecursionError):
        return None
    return values


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield each document's text and the line it begins on. What comes before a document goes with it."""
    start, line = 0, 1
    for cut in (*(found.end() for found in _MARKER.finditer(text)), len(text)):
        piece = text[start:cut]
        if _CONTENT.search(piece):
            yield line, piece
            line += piece.count("\n")
            start = cut


def _objects(value: Any, place: str, *, named: bool) -> Iterator[Document]:
    """Yield `value`, or the objects that it lists."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        yield Document(place, value)
    elif kind.endswith("List") and isinstance(value.get("items"), list):
        identity = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
        for index, item in enumerate(value["items"]):
            typed = {**identity, **item} if isinstance(item, dict) and identity["kind"] else item
            yield from _objects(typed, f"{place}, items[{index}]", named=True)
    else:
        metadata = value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        yield Document(f"{place} ({kind} {name})" if named and name else place, value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
