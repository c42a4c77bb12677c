"""What a plain scalar means to sigs.k8s.io/yaml, the reader that kubectl and the API server use.

It speaks YAML 1.1 without sexagesimals (a MAC address is a string) and without dates (they stay strings), and writes
what it read as JSON, so 1e3 arrives as the integer 1000. Source: resolve.go of go.yaml.in/yaml/v2 and yaml.go of
sigs.k8s.io/yaml v1.6.0; the tests hold this page to the real one's answers.
"""

import math
import re
import struct

Scalar = str | int | float | bool | None

WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_NUMERIC = frozenset("+-.0123456789")  # what every number begins with

_INTEGER = re.compile(
    r"""(?P<sign>[-+]?) (?: 0[xX] (?P<hex>[0-9a-fA-F]+)
                          | 0[bB] (?P<binary>[01]+)
                          | 0[oO]? (?P<octal>[0-7]+)
                          | (?P<decimal> 0 | [1-9][0-9]*) )""",
    re.VERBOSE,
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_DIGITS = 64  # of the longest integer that is one: 64 bits written in binary
_SIGNED, _UNSIGNED = range(-(2**63), 2**63), range(2**64)
_EXACT = 2**53  # below it, a whole float and an integer are the same digits

_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")  # what begins with a point


def resolve(text: str) -> Scalar:
    """Return what the plain scalar `text` means; a float may be infinite or no number, as YAML has it."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if text[0] == ".":
        return _float(text.replace("_", ""), text) if _FRACTION.fullmatch(text) else text
    digits = text.replace("_", "")
    integer = _integer(digits)
    if integer is not None:
        return integer
    return _float(digits, text) if _FLOAT.fullmatch(digits) else text


def as_json(value: Scalar) -> Scalar:
    """Return `value` as it arrives after a journey through JSON. Raises ValueError where it has no place there."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ValueError("no Kubernetes object can hold an infinity or a NaN")
    if not value.is_integer() or int(value) not in _SIGNED:
        return value
    if abs(value) < _EXACT:
        return int(value)
    from decimal import Decimal  # noqa: PLC0415 - hardly ever needed

    return int(Decimal(repr(value)))  # JSON has the shortest digits that name the float, and zeros


def as_key(value: Scalar) -> str:
    """Return the key of a JSON object that `value` becomes. Raises ValueError where it cannot be one."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value in _SIGNED:
            return str(value)
        case float():
            return _shortest_single(value)
        case _:
            raise ValueError("a key must be text; put quotes around it")


def _integer(digits: str) -> int | None:
    found = _INTEGER.fullmatch(digits)
    if found is None:
        return None
    base = found.lastgroup or ""
    significant = found[base].lstrip("0")
    if len(significant) > _DIGITS:
        return None
    number = int(significant or "0", _BASES[base])
    if found["sign"] == "-":
        number = -number
    return number if number in (_SIGNED if found["sign"] else _UNSIGNED) else None


def _float(digits: str, text: str) -> float | str:
    number = float(digits)
    return text if math.isinf(number) else number


def _shortest_single(number: float) -> str:
    """Return `number` as Go's FormatFloat(number, 'g', -1, 32) has it, which is what becomes of a float as a key."""
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
