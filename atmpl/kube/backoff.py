"""Waits after failures. The caller supplies the randomness."""

from random import Random


def full_jitter(failures: int, first: float, maximum: float, random: Random) -> float:
    """Return a random wait between 0 and `first`, doubled per failure after the first, at most `maximum` (seconds).

    For streams: the watches of many replicas all fail at once, and this spreads them over the whole interval.
    """
    return random.uniform(0, min(maximum, first * 2.0 ** min(failures - 1, 30)))


def added_jitter(failures: int, first: float, maximum: float, random: Random) -> float:
    """Return `first`, doubled per failure after the first, at most `maximum`, plus up to a tenth (seconds).

    For the work queue: this jitter only adds, so that the number of tries per hour has a bound.
    """
    return min(maximum, first * 2.0 ** min(failures - 1, 30)) * random.uniform(1.0, 1.1)
