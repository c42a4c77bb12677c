"""How the commands speak to a person: on standard error, coloured only on a terminal and unless NO_COLOR is set."""

import os
import sys
from typing import TextIO

RED, YELLOW, BOLD = "31;1", "33;1", "1"


def error(sentence: str) -> None:
    """Say what went wrong."""
    _say("error", RED, sentence)


def warning(sentence: str) -> None:
    """Say what a person should know although it went well."""
    _say("warning", YELLOW, sentence)


def paint(text: str, style: str, stream: TextIO) -> str:
    """Return `text` in `style` where `stream` shows colours, else `text` itself. https://no-color.org."""
    return f"\x1b[{style}m{text}\x1b[0m" if shows_colours(stream) else text


def shows_colours(stream: TextIO) -> bool:
    """Tell whether `stream` is a terminal that colours may be sent to."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _say(kind: str, style: str, sentence: str) -> None:
    sys.stderr.write(f"{paint(kind + ':', style, sys.stderr)} {sentence}\n")
