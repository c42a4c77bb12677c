"""The results as a picture: rate, CPU, memory, and latency under load. An SVG that is readable in light and dark."""

from collections.abc import Sequence
from math import log10
from statistics import median
from typing import NamedTuple

from e2e.bench.contestants import ATMPL, BARE, KOPF, PEER, RAW_PEER
from e2e.bench.results import Results, percentile
from e2e.bench.svg import bar, document, dot, line, text

COLOURS = {ATMPL: "series0", BARE: "series1", PEER: "series2", RAW_PEER: "series3", KOPF: "series4"}

WIDTH = 880.0
LABEL = 165.0  # the column of names
VALUE = 80.0  # room for the figure at a bar's end
GAP = 40.0  # between two panels
ROW, BAR = 26.0, 16.0
TITLE = 44.0  # above a panel's first row


class Place(NamedTuple):
    """Where a panel is: its upper left corner, and its width."""

    x: float
    y: float
    width: float


class Panel(NamedTuple):
    """A part of the picture."""

    parts: list[str]
    height: float


def plot(results: Results) -> str:
    """Return the picture."""
    names = results.contestants()
    half = (WIDTH - GAP) / 2
    right = half + GAP
    rates = {name: results.of(name, "rate") for name in names}
    cpus = {name: results.of(name, "cpu") for name in names}
    servers = {name: results.of(name, "server_cpu") for name in names}
    rate = _bars(Place(0, 0, half), "Requests a second", rates, "{:.0f}")
    cpu = _bars(Place(right, 0, half), "Own CPU a request, ms", cpus, "{:.2f}")
    below = rate.height + GAP / 2
    memory = _memory(Place(0, below, half), results)
    server = _bars(Place(0, below + memory.height + GAP / 2, half), "API server's CPU a request, ms", servers, "{:.1f}")
    latency = _latencies(Place(right, below, half), results) if results.paced else Panel([], 0)
    parts = [*rate.parts, *cpu.parts, *memory.parts, *server.parts, *latency.parts]
    title = f"{results.requests:,} requests drained by {', '.join(names)}"
    return document(WIDTH, below + max(memory.height + GAP / 2 + server.height, latency.height), title, parts)


def _bars(place: Place, title: str, figures: dict[str, list[float]], form: str) -> Panel:
    """Draw the median of each as a bar, and each drain as a dot on it."""
    x, y, width = place
    parts = [text(x, y + 18, title, kind="title"), text(x, y + 34, "median, and each drain", kind="soft")]
    room = width - LABEL - VALUE
    most = max(map(max, figures.values()))
    for index, (name, values) in enumerate(figures.items()):
        top = y + TITLE + index * ROW
        middle = median(values)
        parts.append(text(x, top + 13, name))
        parts.append(bar(x + LABEL, top, room * middle / most, BAR, f"{COLOURS[name]} fill"))
        parts += [dot(x + LABEL + room * value / most, top + BAR / 2, 2.5, "dot") for value in values]
        parts.append(text(x + LABEL + room * max(middle, *values) / most + 8, top + 13, form.format(middle)))
    return Panel(parts, TITLE + len(figures) * ROW)


def _memory(place: Place, results: Results) -> Panel:
    """Draw idle memory on peak memory."""
    x, y, width = place
    parts = [
        text(x, y + 18, "Memory, MiB", kind="title"),
        text(x, y + 34, "idle (full) and the peak of a drain (pale)", kind="soft"),
    ]
    room = width - LABEL - VALUE
    peaks = {name: max(results.of(name, "peak")) for name in results.contestants()}
    most = max(peaks.values())
    for index, (name, peak) in enumerate(peaks.items()):
        top = y + TITLE + index * ROW
        idles = [found.resident for found in results.idles if found.contestant == name]
        parts.append(text(x, top + 13, name))
        parts.append(bar(x + LABEL, top, room * peak / most, BAR, f"{COLOURS[name]} pale"))
        if idles:
            parts.append(bar(x + LABEL, top, room * median(idles) / most, BAR, f"{COLOURS[name]} fill"))
        said = f"{median(idles):.0f} - {peak:.0f}" if idles else f"{peak:.0f}"
        parts.append(text(x + LABEL + room * peak / most + 8, top + 13, said))
    return Panel(parts, TITLE + len(peaks) * ROW)


def _latencies(place: Place, results: Results) -> Panel:
    """Draw the median and the 99th percentile of each as two dots of one line, on a logarithmic scale."""
    x, y, width = place
    parts = [
        text(x, y + 18, "From creation to ready, ms", kind="title"),
        text(x, y + 34, "p50 and p99, logarithmic, by load", kind="soft"),
    ]
    rows = sorted(results.paced, key=lambda paced: paced.load)
    ends = [(percentile(row.latencies, 0.5) * 1000, percentile(row.latencies, 0.99) * 1000) for row in rows]
    room = width - LABEL - VALUE
    scale = _Scale(min(low for low, _ in ends), max(high for _, high in ends), x + LABEL, room)
    height = TITLE
    load = -1.0
    for row, (low, high) in zip(rows, ends, strict=True):
        if row.load != load:
            load = row.load
            said = f"at {load:.0%}, {row.rate:.0f} requests/s"
            parts.append(text(x, y + height + 13, said, kind="soft"))
            height += 20
        middle = y + height + BAR / 2
        colour = COLOURS[row.contestant]
        parts += [
            text(x, y + height + 13, row.contestant),
            line(scale(low), middle, scale(high), middle, f"{colour} line"),
            dot(scale(low), middle, 5, f"{colour} fill"),
            dot(scale(high), middle, 5, f"{colour} fill"),
            text(scale(high) + 12, y + height + 13, f"{_short(low)} - {_short(high)}"),
        ]
        height += ROW - 4
    ticks = [text(scale(tick), y + height + 16, f"{tick:g}", kind="soft", anchor="middle") for tick in scale.ticks()]
    rules = [line(scale(tick), y + TITLE, scale(tick), y + height, "rule") for tick in scale.ticks()]
    return Panel([*rules, *parts, *ticks], height + 24)


class _Scale:
    """A logarithmic axis."""

    def __init__(self, low: float, high: float, start: float, room: float) -> None:
        self._low, self._high = low / 1.1, high * 1.1
        self._start, self._room = start, room

    def __call__(self, value: float) -> float:
        part = (log10(value) - log10(self._low)) / (log10(self._high) - log10(self._low))
        return self._start + self._room * part

    def ticks(self) -> Sequence[float]:
        """Return round values within the axis."""
        candidates = [step * 10.0**power for power in range(-1, 6) for step in (1, 2, 5)]
        inside = [value for value in candidates if self._low <= value <= self._high]
        return inside if len(inside) <= 5 else [value for value in inside if str(value).lstrip("0.")[0] == "1"]


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:.0f}"
