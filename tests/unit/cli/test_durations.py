"""Spans of time are read as kubectl reads them."""

import argparse

import pytest

from atmpl.cli.durations import seconds

SPANS = {"90s": 90, "5m": 300, "1h30m": 5400, "1.5s": 1.5, "250ms": 0.25, "60": 60, "0": 0}


@pytest.mark.parametrize("text", SPANS)
def test_a_span_is_so_many_seconds(text):
    assert seconds(text) == pytest.approx(SPANS[text])


@pytest.mark.parametrize("text", ["", "soon", "1 h", "-5s", "5d", "s", "1h30", "9" * 40])
def test_anything_else_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="write one such as"):
        seconds(text)
