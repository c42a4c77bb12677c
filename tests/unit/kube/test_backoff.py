"""Waits after failures."""

from random import Random

import pytest

from atmpl.kube.backoff import added_jitter, full_jitter


class Least(Random):
    """Always draws the least."""

    def random(self) -> float:
        return 0.0


class Most(Random):
    """Always draws the most."""

    def random(self) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("failures", "most"),
    [(1, 0.8), (2, 1.6), (3, 3.2), (4, 6.4), (5, 12.8), (6, 25.6), (7, 30.0), (8, 30.0), (10_000, 30.0)],
)
def test_stream_backoff_is_full_jitter_and_doubles(failures: int, most: float) -> None:
    assert full_jitter(failures, 0.8, 30.0, Least()) == 0.0
    assert full_jitter(failures, 0.8, 30.0, Most()) == most


@pytest.mark.parametrize(
    ("failures", "least"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 64), (8, 128), (9, 256), (10, 300), (10_000, 300)],
)
def test_key_backoff_doubles_with_a_tenth_of_jitter(failures: int, least: float) -> None:
    assert added_jitter(failures, 1.0, 300.0, Least()) == least
    assert added_jitter(failures, 1.0, 300.0, Most()) == pytest.approx(least * 1.1)
