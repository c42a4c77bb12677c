"""Stacks as a flame graph: what calls stands below what is called, as wide as the CPU that it takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from e2e.bench.svg import document, rect, text

WIDTH = 1600.0
ROW = 18.0  # height of a frame
LEAST = 2.0  # width of the narrowest frame that is drawn
CHARACTER = 7.0  # width of a letter, about


@dataclass
class Frame:
    """A function, called from there where it stands in the tree."""

    samples: int = 0  # its own and those of all that it calls
    calls: dict[str, "Frame"] = field(default_factory=dict)


def tree(folded: Iterable[str]) -> Frame:
    """Return the stacks as a tree; a line is a stack (frames joined by `;`, the outermost first), a space, a number."""
    root = Frame()
    for line in folded:
        stack, _, number = line.rpartition(" ")
        frame = root
        frame.samples += int(number)
        for name in stack.split(";"):
            frame = frame.calls.setdefault(name, Frame())
            frame.samples += int(number)
    return root


def flame_graph(folded: Iterable[str], title: str) -> str:
    """Return the picture, the outermost frames at its foot. A frame's name and share show under the pointer."""
    root = tree(folded)
    height = (_depth(root) + 2) * ROW
    return document(WIDTH, height, title, _frames(root, 0.0, height - ROW, WIDTH / max(root.samples, 1), root.samples))


def _frames(frame: Frame, x: float, y: float, scale: float, total: int) -> Iterator[str]:
    for name, called in sorted(frame.calls.items()):
        width = called.samples * scale
        if width >= LEAST:
            kind = f"series{sum(name.partition(' (')[2].encode()) % 5} pale"  # a colour a file and line
            yield rect(x, y - ROW, width - 0.5, ROW - 1, kind, title=f"{name}: {called.samples / total:.1%}")
            if (room := int(width / CHARACTER)) > 3:
                yield text(x + 3, y - 5, name[:room])
            yield from _frames(called, x, y - ROW, scale, total)
        x += width


def _depth(frame: Frame) -> int:
    return max((1 + _depth(called) for called in frame.calls.values()), default=0)
