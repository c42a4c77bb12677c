"""Spans of time as kubectl has them: `90s`, `5m`, `1h30m`, or a number of seconds."""

import argparse
import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float:
    """Return the seconds of a span of time. Raises argparse's error where it is none."""
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_PART.pattern})+", text) or len(text) > 30:
        raise argparse.ArgumentTypeError(f"{text} is no span of time; write one such as 90s, 5m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
