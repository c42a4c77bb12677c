"""A template's parameters as a table that a person reads: name, value, meaning."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from atmpl.cli.terminal import plain, wrap
from atmpl.template.parameters import Parameter

HEADINGS = ("NAME", "VALUE", "MEANING")
_WIDEST_VALUE = 28  # characters; what is longer is cut, `-o yaml` shows it whole
_NARROWEST = 20  # characters of a meaning's lines
_GAP = "   "


class _Row(NamedTuple):
    name: str
    value: str
    meaning: str


def table(parameters: Iterable[Parameter], values: dict[str, str], width: int | None = None) -> str:
    """Return the table. `values` go before the template's own; meanings are wrapped to lines of `width` characters."""
    rows = [_row(parameter, values.get(parameter.name)) for parameter in parameters]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    return "".join(_line(row, widths, width) for row in (HEADINGS, *rows))


def _row(parameter: Parameter, given: str | None) -> _Row:
    value = parameter.value if given is None else given
    if value:
        shown = _cut(_one_line(value), _WIDEST_VALUE)
    elif parameter.generate:
        shown = _cut(f"(generated: {_one_line(parameter.from_)})", _WIDEST_VALUE)
    else:
        shown = "(required)" if parameter.required else "(empty)"
    return _Row(_one_line(parameter.name), shown, _one_line(_meaning(parameter)))


def _meaning(parameter: Parameter) -> str:
    """Return the description; the display name where that says no more than the parameter's own name."""
    own = parameter.name.lower().replace("_", "-")
    said = parameter.description.removeprefix(f"{own}: ")
    return parameter.display_name if said in ("", own) else said


def _one_line(text: str) -> str:
    """Return `text` as one line that moves no cursor; of several lines the first, and how many there are."""
    lines = text.rstrip("\n").split("\n")
    first = plain(lines[0])
    return first if len(lines) == 1 else f"{_cut(first, _WIDEST_VALUE - 13)} ({len(lines)} lines)"


def _line(cells: Sequence[str], widths: Sequence[int], width: int | None) -> str:
    text = _GAP.join(cell.ljust(wide) for cell, wide in zip(cells, widths, strict=True)).rstrip()
    if width is not None and len(text) > width:
        margin = " " * (sum(widths[:-1]) + len(_GAP) * (len(widths) - 1))
        lines = wrap(cells[-1], max(width - len(margin), _NARROWEST), indent="").splitlines()
        text = text[: len(margin)] + f"\n{margin}".join(lines)
    return f"{text}\n"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"
