"""Durations are read as kubectl reads them."""

import argparse

import pytest

from atmpl.cli.options import duration

SPANS = {
    "90s": 90,
    "5m": 300,
    "1h30m": 5400,
    "1.5s": 1.5,
    "250ms": 0.25,
    "60": 60,
    "1d": 86400,
    "1d12h": 129600,
    "0": 0,
}


@pytest.mark.parametrize("text", SPANS)
def test_a_span_is_so_many_duration(text):
    assert duration(text) == pytest.approx(SPANS[text])


@pytest.mark.parametrize("text", ["", "soon", "1 h", "-5s", "5w", "\u0661s", "s", "1h30", "9" * 40])
def test_anything_else_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration"):
        duration(text)
