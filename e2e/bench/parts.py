"""What the samples of a profile were doing: each belongs to the first of some parts whose words occur in its stack."""

from collections import Counter
from collections.abc import Iterable, Sequence

Part = tuple[str, tuple[str, ...]]  # what is done, and pieces of frames: a stack has to hold one of them


def part_of(stack: str, parts: Sequence[Part]) -> str:
    """Return what a sample's stack (frames joined by `;`, the outermost first) was doing."""
    return next((part for part, words in parts if any(word in stack for word in words)), "else")


def shares(folded: Iterable[str], parts: Sequence[Part]) -> Counter[str]:
    """Count samples by what was done; a line is a stack, a space and its number of samples."""
    counted: Counter[str] = Counter()
    for line in folded:
        stack, _, number = line.rpartition(" ")
        counted[part_of(stack, parts)] += int(number)
    return counted
