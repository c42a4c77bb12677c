"""How long to wait after a failure. Pure: the caller hands in the randomness."""

from random import Random


def full_jitter(failures: int, first: float, most: float, random: Random) -> float:
    """Return seconds between 0 and `first` doubled by each failure but the first, `most` at most: streams.

    Full jitter spreads the watches of many replicas, which all break at once, over the whole interval.
    """
    return random.uniform(0, min(most, first * 2.0 ** min(failures - 1, 30)))


def added_jitter(failures: int, first: float, most: float, random: Random) -> float:
    """Return `first` doubled by each failure but the first, `most` at most, and up to a tenth more: items of a queue.

    Jitter here only adds, so that the number of tries in an hour has a bound.
    """
    return min(most, first * 2.0 ** min(failures - 1, 30)) * random.uniform(1.0, 1.1)
