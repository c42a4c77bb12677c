"""From YAML text to plain values, as sigs.k8s.io/yaml does it.

libyaml finds the events; the values are put together here, without recursion (PyYAML's own composer recurses in C and
takes the process down on deep nesting), with duplicate keys refused, aliases bounded as go.yaml.in/yaml/v2 bounds them,
and every error on its line.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from atmpl.cli.yaml.building import TOO_DEEP, Builder, MisplacedError

_LOADER: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PLAINER = {  # what libyaml says: what a person can act on
    "found character that cannot start any token": "no tab, @ or ` can begin this; indent with spaces, quote the text",
    "mapping values are not allowed in this context": "two `: ` in a line (quote the text), or an indent too deep",
    "could not find expected ':'": "a key without its `:`",
    "did not find expected key": "this line is indented neither as a key nor as what goes with the line above",
    "did not find expected <document start>": "another document begins here without a --- before it",
    "did not find expected node content": "a value is missing here, or what ends a { or [ above",
    "found unexpected end of stream": "what is opened here is never closed",
    "did not find expected ',' or ']'": "the list opened here lacks a `,` or its `]`",
    "exceeded maximum nesting depth": TOO_DEEP,  # of libyaml 0.2.6: 1,000, where it reads ahead of us
    "did not find expected ',' or '}'": "the mapping opened here lacks a `,` or its `}`",
}


class NotYamlError(ValueError):
    """The text is no YAML that a Kubernetes object could be read from. `line` counts from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


def read(text: str, first_line: int = 1) -> Iterator[Any]:
    """Yield the value of each document of `text`: dicts with string keys, lists, strings, numbers, booleans, None.

    `first_line` is the line that `text` begins on, for errors. Equal parts that came by an alias are the same object,
    so a caller must not change one. Raises NotYamlError.
    """
    loader = None
    try:
        loader = _LOADER(text)
        yield from _documents(loader)
    except MisplacedError as error:
        raise NotYamlError(first_line + error.line, error.why) from None
    except yaml.MarkedYAMLError as error:
        raise _placed(error, first_line) from None
    except yaml.reader.ReaderError as error:
        raise _stray(chr(error.character), text, first_line) from None
    except UnicodeEncodeError as error:
        raise _stray(text[error.start], text, first_line) from None
    finally:
        if loader is not None:
            loader.dispose()


def _documents(loader: yaml.CSafeLoader | yaml.SafeLoader) -> Iterator[Any]:
    builder = Builder()
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.DocumentEndEvent):
            yield builder.value
            builder = Builder()
        else:
            builder.take(event)


def _placed(error: yaml.MarkedYAMLError, first_line: int) -> NotYamlError:
    why = error.problem or "this is no YAML"
    mark = error.problem_mark
    if error.context_mark and ("end of stream" in why or "expected ','" in why):
        mark = error.context_mark  # where it was opened says more than where the file ends
    return NotYamlError(first_line + (mark.line if mark else 0), _PLAINER.get(why, why))


def _stray(character: str, text: str, first_line: int) -> NotYamlError:
    line = first_line + text.count("\n", 0, text.index(character))
    return NotYamlError(line, f"the character U+{ord(character):04X} has no place in YAML")
