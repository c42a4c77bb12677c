"""Standard output, and what a person is told on standard error: coloured only on a terminal, unless NO_COLOR is set."""

import os
import re
import sys
from typing import TextIO

from atmpl.cli.errors import CommandError

RED, YELLOW, BOLD = "31;1", "33;1", "1"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # all but line ends
_ERASE = "\r\x1b[K"  # the line that the cursor is on


class _Line:
    """The line of progress on standard error."""

    shown = False  # it is what the cursor is on


_line = _Line()


def put(data: bytes) -> None:
    """Write to standard output. Raises CommandError where that cannot be, BrokenPipeError where the reader has left."""
    try:
        sys.stdout.flush()  # what stands in the text's buffer goes first
        sys.stdout.buffer.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from None


def finish() -> None:
    """Send off what was written to standard output; raises as `put` does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from None


def forget() -> None:
    """Drop what could not be written to standard output: the interpreter would complain of it as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def error(sentence: str) -> None:
    """Say what went wrong."""
    _say("error", RED, sentence)


def warning(sentence: str) -> None:
    """Say what a person should know although it went well."""
    _say("warning", YELLOW, sentence)


def progress(sentence: str) -> None:
    """Show how far it has got, on a line that whatever is said next replaces; nowhere but on a terminal.

    Also not where standard output goes to a terminal, since that shows the progress by itself.
    """
    if sys.stderr.isatty() and not sys.stdout.isatty():
        draw(sentence)


def draw(text: str) -> None:
    """Show `text` as the line of progress; standard error must be a terminal."""
    _line.shown = True
    sys.stderr.write(_ERASE + text[: width(sys.stderr) - 1])
    sys.stderr.flush()


def settle() -> None:
    """Take the line of progress away, if there is one."""
    if _line.shown:
        _line.shown = False
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


def note(sentence: str) -> None:
    """Say what is going on."""
    settle()
    sys.stderr.write(f"{sentence}\n")


def paint(text: str, style: str, stream: TextIO) -> str:
    """Return `text` in `style` where `stream` shows colours, else `text` itself. https://no-color.org."""
    return f"\x1b[{style}m{text}\x1b[0m" if shows_colours(stream) else text


def shows_colours(stream: TextIO) -> bool:
    """Tell whether `stream` is a terminal that colours may be sent to."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def moves(stream: TextIO) -> bool:
    """Tell whether the cursor of `stream` can be sent back to write over what stands there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width(stream: TextIO) -> int:
    """Return how many characters a line of the terminal `stream` holds; 80 where nobody knows."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def wrap(text: str, columns: int, *, indent: str) -> str:
    """Return `text` in lines of at most so many columns, between words only: a path stays one word to be copied."""
    import textwrap  # noqa: PLC0415 - only where there is a terminal

    return textwrap.fill(text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def plain(text: str) -> str:
    """Return `text` without what moves a cursor or hides something: others may have written what is quoted in it."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def shaped(text: str, *, indent: str) -> str:
    """Return `text` behind `indent`; on a terminal, on standard error, in as many lines as that takes."""
    text = plain(text)
    if not sys.stderr.isatty():
        return f"{indent}{text}"
    return indent + wrap(text, width(sys.stderr) - len(indent), indent="").replace("\n", f"\n{indent}")


def _unwritable(error: OSError) -> CommandError:
    forget()
    return CommandError(f"standard output: {(error.strerror or str(error)).lower()}")


def _say(kind: str, style: str, sentence: str) -> None:
    settle()
    head = f"{kind}:"
    text = f"{head} {plain(sentence)}"
    if sys.stderr.isatty():
        text = wrap(text, width(sys.stderr), indent="  ")
    sys.stderr.write(f"{paint(head, style, sys.stderr)}{text.removeprefix(head)}\n")
