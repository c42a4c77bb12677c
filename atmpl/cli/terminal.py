"""Standard output and standard error: bytes, messages, colours, the progress line and the spinner.

Escape sequences are sent to a terminal only, and not if NO_COLOR is set or TERM is `dumb`. A standard error that is
closed or full is ignored: it must not change the exit status of a command whose output was written.
"""

import errno
import os
import sys
from itertools import cycle
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from atmpl.cli.errors import CommandError
from atmpl.template.printable import printable

if TYPE_CHECKING:
    import asyncio

RED, YELLOW, BOLD = "31;1", "33;1", "1"
FRAME_SECONDS = 0.1  # between two frames of the spinner
WINDOWS = sys.platform == "win32"

_CLEAR_LINE = "\r\x1b[K"
_VIRTUAL_TERMINAL = 0x4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING of a Windows console
_FRAMES, _ASCII_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"


class _Progress:
    """The progress line on standard error."""

    shown = False  # the cursor is on it


_progress = _Progress()


def open_missing_streams() -> None:
    """Replace closed standard streams: one that is None raises AttributeError at each use.

    A closed standard output becomes a stream that fails as soon as something is written to it.
    """
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until the process ends


def write(data: bytes) -> None:
    """Write to standard output. Raises CommandError if that fails, BrokenPipeError if the reader closed the pipe."""
    try:
        sys.stdout.flush()  # argparse and tests write text
        sys.stdout.buffer.write(data)
    except OSError as error:
        raise _output_error(error) from None


def flush() -> None:
    """Flush standard output; raises as `write` does."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _output_error(error) from None


def discard_stdout() -> None:
    """Drop what could not be written to standard output; the interpreter would report it at its exit."""
    _discard(sys.stdout)


def error(sentence: str) -> None:
    """Report an error."""
    _message("error", RED, sentence)


def warning(sentence: str) -> None:
    """Report a warning: the command succeeded, and the user should know this."""
    _message("warning", YELLOW, sentence)


def info(sentence: str) -> None:
    """Report a state or a hint."""
    clear_progress()
    _write_error(f"{plain(sentence)}\n")


def progress(sentence: str) -> None:
    """Show progress on a line that the next message replaces.

    Nothing is shown without a terminal, or if standard output is a terminal, where the output itself shows progress.
    """
    if supports_escapes(sys.stderr) and not sys.stdout.isatty():
        draw(sentence)


def draw(text: str) -> None:
    """Show `text` as the progress line; standard error must support escapes."""
    _progress.shown = True
    _write_error(_CLEAR_LINE + plain(text)[: width(sys.stderr) - 1])


def clear_progress() -> None:
    """Clear the progress line, if there is one."""
    if _progress.shown:
        _progress.shown = False
        _write_error(_CLEAR_LINE)


def paint(text: str, style: str, stream: TextIO) -> str:
    """Return `text` in `style` if `stream` supports escapes, otherwise `text` itself."""
    return f"\x1b[{style}m{text}\x1b[0m" if supports_escapes(stream) else text


def supports_escapes(stream: TextIO) -> bool:
    """Return True if `stream` is a terminal that may get escape sequences. https://no-color.org."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return not WINDOWS or _enable_escapes(stream)


def width(stream: TextIO) -> int:
    """Return the columns of the terminal `stream`; 80 if unknown."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def wrap(text: str, columns: int, *, indent: str) -> str:
    """Return `text` in lines of at most `columns`, broken between words only, so that a path can be copied."""
    import textwrap

    return textwrap.fill(
        text, max(columns, 1), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def plain(text: str) -> str:
    """Return `text` without characters that control a terminal, except line ends."""
    return printable(text, keep="\n")


def indented(text: str, *, indent: str) -> str:
    """Return `text` behind `indent`; on a terminal, in lines of its width."""
    text = plain(text)
    if not sys.stderr.isatty():
        return f"{indent}{text}"
    return indent + wrap(text, width(sys.stderr) - len(indent), indent="").replace("\n", f"\n{indent}")


class Spinner:
    """An async context manager that shows a spinner and `text` on standard error, and clears both at its end."""

    def __init__(self, text: str = "") -> None:
        self.text = text  # can change at any time
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        import asyncio

        if supports_escapes(sys.stderr):
            self._task = asyncio.create_task(self._spin())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            clear_progress()

    async def _spin(self) -> None:
        from asyncio import sleep

        frames = _FRAMES if (sys.stderr.encoding or "").lower().startswith("utf") else _ASCII_FRAMES
        start = monotonic()
        for frame in cycle(frames):
            draw(f"{frame} {monotonic() - start:.0f} s  {self.text}")
            await sleep(FRAME_SECONDS)


def _message(kind: str, style: str, sentence: str) -> None:
    clear_progress()
    head = f"{kind}:"
    text = f"{head} {plain(sentence)}"
    if sys.stderr.isatty():
        text = wrap(text, width(sys.stderr), indent="  ")
    _write_error(f"{paint(head, style, sys.stderr)}{text.removeprefix(head)}\n")


def _write_error(text: str) -> None:
    """Write to standard error. A failure is ignored: there is no place left to report it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Let the descriptor of `stream` be the null device, so that the flush at exit succeeds."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return


def _output_error(error: OSError) -> Exception:
    """Return the error to raise if standard output cannot be written."""
    if isinstance(error, BrokenPipeError) or (WINDOWS and error.errno == errno.EINVAL):  # a closed pipe on Windows
        return BrokenPipeError()
    discard_stdout()
    return CommandError(f"standard output: {(error.strerror or str(error)).lower()}")


def _enable_escapes(stream: TextIO) -> bool:
    """Switch the escape sequences of a Windows console on. Return False if the console does not know them."""
    import ctypes

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 - the attribute exists on Windows only
    handle = kernel.GetStdHandle({1: -11, 2: -12}.get(stream.fileno(), -11))
    mode = ctypes.c_uint32()
    if not kernel.GetConsoleMode(handle, ctypes.byref(mode)):
        return False
    return bool(kernel.SetConsoleMode(handle, mode.value | _VIRTUAL_TERMINAL))
