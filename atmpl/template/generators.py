"""`generate: expression`: random text by the rules of the two engines.

Both replace each `[alphabet]{length}` by that many characters and keep the rest. OpenShift's alphabets leave out the
last character of each range (`[a-z]` never generates z: measured), KubeVirt's do not. Each function takes the
expression and the source of randomness, and raises ValueError in its engine's own words.
"""

import re
from random import Random

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = "0123456789"
_MIN_LENGTH, _MAX_LENGTH = 1, 255  # characters of one expression
_INT64 = 2**63 - 1

# OpenShift. The order of the symbols determines what a range can span, so it is OpenShift's.
_SYMBOLS = "~!@#$%^&*()-_+={}[]\\|<,>.?/\"';:`"
_ASCII = _LETTERS + _DIGITS + _SYMBOLS
_EXPRESSION = re.compile(r"(\[[a-zA-Z0-9\-\\]+\])\{([0-9]+)\}")
_WELL_FORMED = re.compile(r"\[(\\w|\\d|\\a|\\A)|([a-zA-Z0-9]-[a-zA-Z0-9])+\]")
_RANGE = re.compile(r"\\?[a-zA-Z0-9]-?[a-zA-Z0-9]?")
_CLASSES = {  # of a range only the first and the last character count
    "\\w": _LETTERS + _DIGITS + "_",
    "\\d": _DIGITS,
    "\\a": _LETTERS + _DIGITS,
    "\\A": _SYMBOLS,
}


def openshift(expression: str, random: Random) -> str:
    """Return a text that OpenShift's generator could generate. Inserted text can become part of an expression.

    Raises ValueError, in the processor's own words.
    """
    position = 0
    while match := _EXPRESSION.search(expression, position):
        ranges, length = match[1], min(_number(match[2]), _INT64)
        if not _WELL_FORMED.search(ranges):
            raise ValueError(f"malformed expresion syntax: {ranges}")
        if not _MIN_LENGTH <= length <= _MAX_LENGTH:
            raise ValueError(f"range must be within [1-255] characters ({length})")
        alphabet = sorted({letter for span in _RANGE.findall(ranges) for letter in _openshift_span(span[0], span[-1])})
        if not alphabet:
            raise ValueError("OpenShift's processor panics here: invalid argument to Intn")
        expression, position = _replace(expression, match, "".join(random.choices(alphabet, k=length)))
    return expression


def _openshift_span(first: str, last: str) -> str:
    if first + last in _CLASSES:
        return _CLASSES[first + last]
    start, end = _ASCII.find(first), _ASCII.rfind(last)
    if start > end:
        raise ValueError(f"invalid range specified: {first}-{last}")
    return _ASCII[start:end]


# KubeVirt
_NATIVE_SYMBOLS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_NATIVE_ORDER = _LETTERS + _DIGITS
_NATIVE_EXPRESSION = re.compile(r"\[([a-zA-Z0-9\-\\]+)\]\{([0-9A-Za-z_]+)\}")
_NATIVE_RANGE = re.compile(r"\\w|\\d|\\a|\\A|.-.|[a-zA-Z0-9]+")
_NATIVE_CLASSES = {
    "\\w": _LETTERS + _DIGITS + "_",
    "\\d": _DIGITS,
    "\\a": _LETTERS + _DIGITS,
    "\\A": _NATIVE_SYMBOLS,
}


def native(expression: str, random: Random) -> str:
    """Return a text that KubeVirt's generator could generate. Inserted text can become part of an expression.

    Raises ValueError, in the processor's own words.
    """
    position = 0
    while match := _NATIVE_EXPRESSION.search(expression, position):
        spans = _NATIVE_RANGE.findall(match[1])
        if not spans:
            raise ValueError(f"malformed ranges syntax: {match[1]}")
        length = _native_length(match[2])
        alphabet = sorted({letter for span in spans for letter in _native_span(span)})
        expression, position = _replace(expression, match, "".join(random.choices(alphabet, k=length)))
    return expression


def _native_length(text: str) -> int:
    problem = f'malformed length syntax: strconv.Atoi: parsing "{text}": '
    if not re.fullmatch(r"[0-9]+", text):
        raise ValueError(problem + "invalid syntax")
    length = _number(text)
    if length > _INT64:
        raise ValueError(problem + "value out of range")
    if not _MIN_LENGTH <= length <= _MAX_LENGTH:
        raise ValueError(f"range must be within [1-255] characters: {length}")
    return length


def _native_span(span: str) -> str:
    if span in _NATIVE_CLASSES:
        return _NATIVE_CLASSES[span]
    if len(span) != len("a-z") or span[1] != "-":
        return span
    first, last = span[0], span[2]
    start, end = _NATIVE_ORDER.find(first), _NATIVE_ORDER.find(last)
    if start < 0:
        raise ValueError(f"invalid start character in range: {first}")
    if end < 0:
        raise ValueError(f"invalid end character in range: {last}")
    if start > end:
        raise ValueError(f"invalid range specified: {first}-{last}")
    return _NATIVE_ORDER[start : end + 1]


def _number(digits: str) -> int:
    """Return the number in `digits`; beyond 64 bits, only that it is beyond."""
    return int(digits.lstrip("0")[:20] or "0")


def _replace(expression: str, match: re.Match[str], text: str) -> tuple[str, int]:
    """Return the expression with `text` in place of the match, and the first position of another match.

    A match that contains inserted text can only begin at the last bracket before it.
    """
    start = match.start()
    bracket = expression.rfind("[", 0, start)
    return expression[:start] + text + expression[match.end() :], start if bracket < 0 else bracket
