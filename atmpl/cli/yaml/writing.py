"""From plain values to YAML that a person would write and that no reader, of YAML 1.1 or 1.2, takes for something else.

Quotes stand only where some reader needs them, text of several lines stands as a block, lists are not indented below
their key (as kubectl has it), nothing is folded, and there are no anchors.
"""

import re
from typing import Any

_LONGEST_KEY = 1000  # characters; readers give up looking for the colon after 1,024

_WORDS = frozenset(  # text that, without quotes, is no text to some reader, in lower case: YAML 1.1, 1.2 and Go's
    ["", "~", "=", "<<", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "+.inf", "-.inf"]
)
_NUMERIC = frozenset("+-._0123456789")  # what every number and every date begins with
_NUMBER = re.compile(  # the same of numbers and dates
    r"""  [-+]* 0 [xob] [-+]? [0-9a-f_]+                                  # of two signs some readers take one off
        | [-+]* (?: [0-9_]+ \.? [0-9_]* | \. [0-9_]+ ) (?: e [-+]? [0-9_]+ )?
        | [-+]? [0-9_]+ (?: : [0-9_]+ )+ (?: \. [0-9_]* )?               # sexagesimal: 1:20 is 80
        | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [t ] .* )?
    """,
    re.VERBOSE,
)
_SYNTAX = re.compile(  # text that, without quotes, is YAML's own syntax
    r"""^ [?:,\[\]{}\#&*!|>'"%@`] | ^ - (?: [ ] | $ | -- ) | ^ \.\.\. | : (?: [ ] | $ ) | [ ] (?: \# | $ ) | ^ [ ]""",
    re.VERBOSE,
)
_UNSEEN = frozenset(  # what readers refuse or a person does not see: controls, odd line ends, marks of direction
    chr(code)
    for codes in (
        *(range(0x09), range(0x0B, 0x20), range(0x7F, 0xA0), range(0x200E, 0x2010), range(0x2028, 0x202F)),
        *(range(0x2066, 0x206A), range(0xD800, 0xE000), range(0xFEFF, 0xFF00), range(0xFFFE, 0x10000)),
    )
    for code in codes
)
_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", '"': r"\"", "\\": r"\\"}


def write(value: Any) -> str:
    """Return `value` (dicts, lists, strings, numbers, booleans, None) as one YAML document that ends with a newline."""
    out: list[str] = []
    match value:
        case dict() if value:
            _mapping(value, 0, out)
        case list() if value:
            _sequence(value, 0, out)
        case _:
            out += (_scalar(value, None), "\n")
    return "".join(out)


def _mapping(value: dict[str, Any], indent: int, out: list[str]) -> None:
    """Write the entries of `value`; the margin of the first one is written already."""
    margin = " " * indent
    lead = ""
    for key, item in value.items():
        text = _text(key, None)
        out += (lead, text, ":") if len(text) <= _LONGEST_KEY else (lead, "? ", text, "\n", margin, ":")
        lead = margin
        match item:
            case dict() if item:
                out += ("\n", margin, "  ")
                _mapping(item, indent + 2, out)
            case list() if item:
                out += ("\n", margin)
                _sequence(item, indent, out)
            case _:
                out += (" ", _scalar(item, indent), "\n")


def _sequence(value: list[Any], indent: int, out: list[str]) -> None:
    """Write the items of `value`; the margin of the first one is written already."""
    margin = " " * indent
    lead = "- "
    for item in value:
        out.append(lead)
        lead = margin + "- "
        match item:
            case dict() if item:
                _mapping(item, indent + 2, out)
            case list() if item:
                _sequence(item, indent + 2, out)
            case _:
                out += (_scalar(item, indent), "\n")


def _scalar(value: Any, indent: int | None) -> str:
    match value:
        case str():
            return _text(value, indent)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case float():
            return _float(value)
        case dict():
            return "{}"
        case list():
            return "[]"
        case _:
            return str(value)


def _float(value: float) -> str:
    mantissa, e, exponent = repr(value).partition("e")
    if mantissa[-1] in "fn":
        return mantissa.replace("inf", ".inf").replace("nan", ".nan")
    return mantissa + e + exponent if "." in mantissa else f"{mantissa}.0{e}{exponent}"  # 1e+16 is text to YAML 1.1


def _text(text: str, indent: int | None) -> str:
    """Return `text` as a scalar; as a block only where `indent`, the margin of what holds it, is given."""
    if not text.isprintable():  # by far the most text is; what is not may yet be seen: lines, an odd space
        unseen = not _UNSEEN.isdisjoint(text)
        if indent is not None and not unseen and "\n" in text and text.strip("\n"):
            return _block(text, " " * (indent + 2))
        if unseen or "\n" in text or "\t" in text or text.strip() != text:
            return '"' + "".join(_escape(character) for character in text) + '"'
    if not _SYNTAX.search(text) and not _misleads(text):
        return text
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def _misleads(text: str) -> bool:
    """Tell whether some reader takes `text`, without quotes, for something else."""
    plain = text.lower()
    return plain in _WORDS or (plain[0] in _NUMERIC and _NUMBER.fullmatch(plain) is not None)


def _block(text: str, margin: str) -> str:
    """Return `text` as a block: `|`, the lines below it. The last line's end is left to the caller."""
    hint = "2" if text[0] in " \t\n" else ""  # else readers would take the first line's own margin for the block's
    ending = "+" if text.endswith("\n\n") else "" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    return "\n".join((f"|{hint}{ending}", *(margin + line if line else "" for line in lines)))


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character not in _UNSEEN:
        return character
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"
